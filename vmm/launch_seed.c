// SPDX-License-Identifier: MIT
#include <pwd.h>
#include <stdlib.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"
#include "vmm/hv_storage.h"
#include "vmm/launch_internal.h"
#include "vmm/seed_read.h"
#include "vmm/share.h"

/* What gpuvm recorded of the VM as it is defined; NULL: it is not, or is not gpuvm's. */
static const struct guest *before(const struct launch *launch)
{
	const struct usage_vm *vm = usage_vm(launch->usage, launch->spec->name);

	return vm != NULL && vm->guest->is_ours ? vm->guest : NULL;
}

static bool had_seed(const struct launch *launch)
{
	const struct guest *guest = before(launch);

	return guest != NULL && guest->seed_volume != NULL;
}

/* For whom: a VM that root starts at boot stays its owner's, and so do its keys. */
static int read_for(struct launch *launch, struct fail *fail)
{
	const struct guest *guest = launch->options.keep_owner ? before(launch) : NULL;
	unsigned uid = guest == NULL ? launch->owner->uid : guest->uid;
	const struct passwd *account = getpwuid(uid);
	const struct seed_caller caller = {
		.name = guest == NULL ? launch->owner->name : guest->user,
		.home = account == NULL ? NULL : account->pw_dir,
	};

	return seed_read(launch->spec, &caller, &launch->seed, fail);
}

int launch_seed_read(struct launch *launch, struct fail *fail)
{
	return launch->spec->cloud_init.is_written ? read_for(launch, fail) : 0;
}

int launch_seed_foresee(struct launch *launch, struct fail *fail)
{
	struct fail refusal = { 0 };

	if (!launch->spec->cloud_init.is_written)
		return 0;
	if (launch->root->live && read_for(launch, &refusal) == 0)
		return 0;
	launch_refusals_keep(launch, &refusal, "first-boot");
	return seed_read(launch->spec, NULL, &launch->seed, fail);
}

static int refuse_taken(const struct launch *launch, const char *pool, struct fail *fail)
{
	CLEANUP(text) char *uri = text_shell(launch_uri(launch));
	CLEANUP(text) char *word = text_shell(pool);

	fail_add(fail, FAIL_SPEC, "[cloud-init]: the place of the volume for it is taken");
	fail_cause(fail, "storage pool \"%s\" has a volume %s that gpuvm did not make for this VM",
		   pool, launch->seed_volume);
	fail_hint(fail,
		  "choose another name in the spec, or, if nobody needs it: virsh -c %s "
		  "vol-delete --pool %s %s",
		  uri, word, launch->seed_volume);
	return fail_at(fail, launch->spec->file, launch->spec->cloud_init.line);
}

/* libvirt's lists are as old as their last refresh: what it does not know of yet, hv_volume_create_filled() meets. */
static int check_free(struct launch *launch, const char *pool, struct fail *fail)
{
	CLEANUP(hv_volume) struct hv_volume *volume = NULL;

	if (hv_volume_read(launch->hv, pool, launch->seed_volume, &volume, fail) < 0)
		return -1;
	return volume == NULL ? 0 : refuse_taken(launch, pool, fail);
}

static int refuse_pool(const struct hv_pool *pool, struct fail *fail)
{
	fail_add(fail, FAIL_HOST, "storage pool \"%s\" has no folder, for [cloud-init]",
		 pool->name);
	fail_cause(fail, "it is of type %s", pool->type == NULL ? "unknown" : pool->type);
	return fail_hint(fail, "the pool that VMs have by default has to be of type dir, as "
			       "virt-install makes it");
}

/* The pool as libvirt has it, and whether the VM's volume can be in it. */
static int ask(struct launch *launch, const char *name, struct hv_pool **ret_pool,
	       struct fail *fail)
{
	if (launch->hv == NULL)
		return 0;
	if (hv_pool_read(launch->hv, name, ret_pool, fail) < 0)
		return -1;
	if ((*ret_pool)->state != HV_POOL_ABSENT && (*ret_pool)->path == NULL)
		return refuse_pool(*ret_pool, fail);
	return had_seed(launch) ? 0 : check_free(launch, (*ret_pool)->name, fail);
}

int launch_seed_place(struct launch *launch, struct fail *fail)
{
	const char *name = had_seed(launch) ? before(launch)->seed_pool : HV_POOL_DEFAULT;
	CLEANUP(hv_pool) struct hv_pool *pool = NULL;
	struct fail refusal = { 0 };
	bool is_plan = launch->gate == NULL;

	if (launch->seed == NULL && !had_seed(launch))
		return 0;
	launch->seed_volume = seed_volume_name(launch->spec->name);
	if (ask(launch, name, &pool, is_plan ? &refusal : fail) < 0 && !is_plan)
		return -1;
	launch_refusals_keep(launch, &refusal, "first-boot");
	/* What is not known, or not there yet, is as libvirt would make it. */
	launch->seed_pool = mem_strdup(pool == NULL ? name : pool->name);
	launch->seed_path = text_format(
		"%s/%s", pool == NULL || pool->path == NULL ? HV_POOL_DEFAULT_PATH : pool->path,
		launch->seed_volume);
	launch->domain_seed = (struct domain_seed){ .pool = launch->seed_pool,
						    .volume = launch->seed_volume,
						    .path = launch->seed_path,
						    .is_attached = launch->seed != NULL };
	return 0;
}

static int write_volume(struct launch *launch, const unsigned char *bytes, size_t length,
			struct fail *fail)
{
	CLEANUP(hv_pool) struct hv_pool *pool = NULL;

	if (hv_pool_read(launch->hv, launch->seed_pool, &pool, fail) < 0 ||
	    hv_pool_ready(launch->hv, pool, fail) < 0)
		return -1;
	if (had_seed(launch) &&
	    hv_volume_delete(launch->hv, launch->seed_pool, launch->seed_volume, fail) < 0)
		return -1;
	return hv_volume_create_filled(launch->hv, launch->seed_pool, launch->seed_volume, bytes,
				       length, fail);
}

/* The image with the spec's shares in its fstab. */
static int make_image(const struct launch *launch, unsigned char **ret_bytes, size_t *ret_length,
		      struct fail *fail)
{
	const struct spec *spec = launch->spec;
	struct seed_mount *mounts = mem_alloc(spec->share_count + 1, sizeof *mounts);
	int result;

	for (size_t i = 0; i < spec->share_count; i++)
		mounts[i] = (struct seed_mount){ .tag = spec->shares[i].target,
						 .path = share_mount_point(&spec->shares[i]),
						 .read_only = spec->shares[i].readonly };
	result = seed_image(launch->seed, launch->uuid, mounts, spec->share_count, ret_bytes,
			    ret_length, fail);
	for (size_t i = 0; i < spec->share_count; i++)
		free((char *)mounts[i].path);
	free(mounts);
	return result;
}

int launch_seed_write(struct launch *launch, struct fail *fail)
{
	unsigned char *bytes = NULL;
	size_t length = 0;
	int result;

	if (launch->seed == NULL)
		return 0;
	if (make_image(launch, &bytes, &length, fail) < 0)
		return -1;
	result = write_volume(launch, bytes, length, fail);
	free(bytes);
	launch->seed_is_made = result == 0;
	return result;
}

/* One that was there before stays: the next start writes it anew. */
void launch_seed_undo(struct launch *launch, struct fail *fail)
{
	CLEANUP(fail) struct fail left = { 0 };
	bool is_active = false;

	if (!launch->seed_is_made || had_seed(launch) || launch_undo_ask(launch, &is_active) < 0 ||
	    is_active)
		return;
	if (hv_volume_delete(launch->hv, launch->seed_pool, launch->seed_volume, &left) == 0)
		return;
	fail_add(fail, FAIL_HV, "volume %s of storage pool \"%s\" stays behind",
		 launch->seed_volume, launch->seed_pool);
	fail_cause(fail, "%s",
		   left.items[0].cause == NULL ? left.items[0].what : left.items[0].cause);
	fail_hint(fail, "virsh -c %s vol-delete --pool %s %s", launch_uri(launch),
		  launch->seed_pool, launch->seed_volume);
}

int launch_seed_settle(struct launch *launch, struct fail *fail)
{
	CLEANUP(fail) struct fail ignored = { 0 };

	(void)fail;
	/* Recorded still, so that the next start or delete tries again. */
	if (launch->seed == NULL && launch->seed_volume != NULL)
		(void)hv_volume_delete(launch->hv, launch->seed_pool, launch->seed_volume,
				       &ignored);
	return 0;
}
