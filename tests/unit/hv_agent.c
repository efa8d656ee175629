// SPDX-License-Identifier: MIT
/* An agent that says what the test tells it to, in the place of libvirt's. */
#include "vmm/hv_agent.h"

#include <libvirt/libvirt-qemu.h>

#include "tests/unit/testhv.h"

#define UUID "11111111-2222-4333-8444-555555555555"
#define DOMAIN(state)                                                                              \
	"<domain><name>a</name><memory>1</memory><devices><channel type='unix'>"                   \
	"<target type='virtio' name='org.qemu.guest_agent.0'" state                                \
	"/></channel></devices></domain>"

static const char *xml;            /* of the domain */
static const char *const *answers; /* one per command; NULL: an error of libvirt's */
static char said[4096];            /* what the agent was told, a line each */
static int error_code;             /* of that error */
static char error_text[200];

char *virDomainGetXMLDesc(virDomainPtr domain, unsigned flags)
{
	(void)domain;
	assert_int_equal(flags, 0);
	return mem_strdup(xml);
}

char *virDomainQemuAgentCommand(virDomainPtr domain, const char *command, int timeout,
				unsigned flags)
{
	const char *answer = *answers++;

	(void)domain;
	assert_int_equal(flags, 0);
	assert_in_range(timeout, 1, 60);
	snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", command);
	return mem_strdup(answer);
}

int virGetLastErrorCode(void)
{
	return error_code;
}

const char *virGetLastErrorMessage(void)
{
	return error_text;
}

struct world {
	struct hv *hv;
	struct fail fail;
	enum hv_agent_problem problem;
	struct hv_agent_output *output;
};

static struct world world_new(const char *state_xml, const char *const *says)
{
	CLEANUP(text) char *defined = testhv_xml("a", UUID, "", "");
	struct world world = { .hv = testhv_open(TESTHV), .problem = HV_AGENT_BROKEN };

	testhv_define(world.hv, defined);
	testhv_start(world.hv, UUID);
	xml = state_xml;
	answers = says;
	said[0] = '\0';
	error_code = VIR_ERR_INTERNAL_ERROR;
	snprintf(error_text, sizeof error_text, "internal error: \x1b[31mno");
	return world;
}

static void world_done(struct world *world)
{
	hv_agent_output_free(world->output);
	fail_done(&world->fail);
	hv_close(world->hv);
}

static const char *const argv[] = { "/bin/echo", "a b", "\"c\"", NULL };

static int run(struct world *world)
{
	return hv_agent_exec(world->hv, UUID, argv, 2, &world->output, &world->problem,
			     &world->fail);
}

static void it_answers(void **state)
{
	static const char *const says[] = { "{\"return\":{}}" };
	__attribute__((cleanup(world_done))) struct world world = world_new(
		DOMAIN(" state='connected'"), says);

	(void)state;
	assert_works(hv_agent_ping(world.hv, UUID, 3, &world.problem, &world.fail), &world.fail);
	assert_int_equal(world.problem, HV_AGENT_ANSWERS);
	assert_string_equal(said, "{\"execute\":\"guest-ping\"}\n");
}

static void a_program_ends_with_what_it_wrote(void **state)
{
	static const char *const says[] = {
		"{\"return\":{\"pid\":42}}",
		"{\"return\":{\"exited\":false}}",
		"{\"return\":{\"exited\":true,\"exitcode\":3,\"out-data\":\"YQBiCg==\","
		"\"err-data\":\"Gw==\",\"out-truncated\":true}}",
	};
	__attribute__((cleanup(world_done))) struct world world = world_new(
		DOMAIN(" state='connected'"), says);

	(void)state;
	assert_works(run(&world), &world.fail);
	assert_string_equal(
		said, "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"/bin/echo\",\"arg\":"
		      "[\"a b\",\"\\\"c\\\"\"],\"capture-output\":true}}\n"
		      "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":42}}\n"
		      "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":42}}\n");
	assert_int_equal(world.output->exit_code, 3);
	assert_int_equal(world.output->signal, 0);
	assert_int_equal(world.output->out_bytes, 4);
	assert_memory_equal(world.output->out, "a\0b\n", 5);
	assert_true(world.output->out_is_cut);
	assert_int_equal(world.output->err_bytes, 1);
	assert_string_equal(world.output->err, "\x1b");
	assert_false(world.output->err_is_cut);
}

static void a_program_that_a_signal_ended(void **state)
{
	static const char *const says[] = {
		"{\"return\":{\"pid\":42}}",
		"{\"return\":{\"exited\":true,\"signal\":9}}",
	};
	__attribute__((cleanup(world_done))) struct world world = world_new(
		DOMAIN(" state='connected'"), says);

	(void)state;
	assert_works(run(&world), &world.fail);
	assert_int_equal(world.output->exit_code, -1);
	assert_int_equal(world.output->signal, 9);
	assert_string_equal(world.output->out, "");
	assert_int_equal(world.output->err_bytes, 0);
}

static void a_program_that_does_not_end(void **state)
{
	static const char running[] = "{\"return\":{\"exited\":false}}";
	static const char *const says[] = {
		"{\"return\":{\"pid\":42}}",
		running,
		running,
		running,
		running,
		running,
		running,
		running,
		running,
		running,
	};
	__attribute__((cleanup(world_done))) struct world world = world_new(
		DOMAIN(" state='connected'"), says);

	(void)state;
	assert_int_equal(
		hv_agent_exec(world.hv, UUID, argv, 1, &world.output, &world.problem, &world.fail),
		-1);
	assert_int_equal(world.problem, HV_AGENT_TIMEOUT);
	assert_int_equal(world.fail.kind, FAIL_FAIL);
	assert_null(world.output);
}

/* Each kind of failure before a word is said, and after one. */
static void failures_are_told_apart(void **state)
{
	static const char disabled[] =
		"{\"return\":{\"version\":\"7\",\"supported_commands\":[{\"name\":\"guest-ping\","
		"\"enabled\":true},{\"name\":\"guest-exec\",\"enabled\":false}]}}";
	static const char enabled[] =
		"{\"return\":{\"supported_commands\":[{\"name\":\"guest-exec\","
		"\"enabled\":true}]}}";
	static const char older[] = "{\"return\":{\"supported_commands\":[]}}";
	static const char spawn_failed[] =
		"internal error: unable to execute QEMU agent command 'guest-exec': Guest agent command "
		"failed, error was 'Failed to execute child process (No such file or directory)'";
	static const struct {
		const char *xml;
		const char *answers[3];
		int code;
		const char *text;
		enum hv_agent_problem problem;
		enum fail_kind kind;
	} cases[] = {
		{ "<domain><name>a</name><memory>1</memory></domain>",
		  { NULL },
		  0,
		  "",
		  HV_AGENT_NO_CHANNEL,
		  FAIL_FAIL },
		{ DOMAIN(""), { NULL }, 0, "", HV_AGENT_ABSENT, FAIL_FAIL },
		{ DOMAIN(" state='disconnected'"), { NULL }, 0, "", HV_AGENT_ABSENT, FAIL_FAIL },
		{ "<domain", { NULL }, 0, "", HV_AGENT_BROKEN, FAIL_HV },
		{ DOMAIN(" state='connected'"),
		  { NULL },
		  VIR_ERR_AGENT_UNRESPONSIVE,
		  "not now",
		  HV_AGENT_SILENT,
		  FAIL_FAIL },
		{ DOMAIN(" state='connected'"),
		  { NULL },
		  112,
		  "timed out",
		  HV_AGENT_SILENT,
		  FAIL_FAIL },
		{ DOMAIN(" state='connected'"),
		  { NULL },
		  VIR_ERR_ARGUMENT_UNSUPPORTED,
		  "none",
		  HV_AGENT_NO_CHANNEL,
		  FAIL_FAIL },
		{ DOMAIN(" state='connected'"),
		  { NULL },
		  VIR_ERR_OPERATION_INVALID,
		  "paused",
		  HV_AGENT_SILENT,
		  FAIL_FAIL },
		{ DOMAIN(" state='connected'"),
		  { NULL, disabled },
		  VIR_ERR_INTERNAL_ERROR,
		  "x",
		  HV_AGENT_DISABLED,
		  FAIL_FAIL },
		{ DOMAIN(" state='connected'"),
		  { NULL, older },
		  113,
		  "x",
		  HV_AGENT_DISABLED,
		  FAIL_FAIL },
		{ DOMAIN(" state='connected'"),
		  { NULL, enabled },
		  VIR_ERR_INTERNAL_ERROR,
		  spawn_failed,
		  HV_AGENT_NO_PROGRAM,
		  FAIL_FAIL },
		{ DOMAIN(" state='connected'"),
		  { NULL, enabled },
		  VIR_ERR_INTERNAL_ERROR,
		  "x",
		  HV_AGENT_BROKEN,
		  FAIL_HV },
		{ DOMAIN(" state='connected'"),
		  { NULL, NULL },
		  VIR_ERR_INTERNAL_ERROR,
		  "x",
		  HV_AGENT_BROKEN,
		  FAIL_HV },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		__attribute__((cleanup(world_done))) struct world world = world_new(
			cases[i].xml, cases[i].answers);

		error_code = cases[i].code;
		snprintf(error_text, sizeof error_text, "%s", cases[i].text);
		assert_int_equal(run(&world), -1);
		assert_int_equal(world.problem, cases[i].problem);
		assert_int_equal(world.fail.kind, cases[i].kind);
		assert_int_equal(world.fail.item_count, 1);
	}
}

static void a_vm_that_is_off(void **state)
{
	__attribute__((cleanup(world_done))) struct world world = world_new("", NULL);

	(void)state;
	assert_works(hv_destroy(world.hv, UUID, &world.fail), &world.fail);
	assert_int_equal(hv_agent_ping(world.hv, UUID, 1, &world.problem, &world.fail), -1);
	assert_int_equal(world.problem, HV_AGENT_OFF);
	assert_int_equal(world.fail.kind, FAIL_BUSY);
	assert_string_equal(world.fail.items[0].hint, "gpuvm start a");
	error_code = VIR_ERR_NO_DOMAIN;
	fail_done(&world.fail);
	assert_int_equal(hv_agent_ping(world.hv, "00000000-0000-4000-8000-000000000000", 1,
				       &world.problem, &world.fail),
			 -1);
	assert_int_equal(world.problem, HV_AGENT_OFF);
}

/* The guest may say anything at all. */
static void hostile_answers(void **state)
{
	static const char pid[] = "{\"return\":{\"pid\":1}}";
	static const char *const cases[][2] = {
		{ "", NULL },
		{ "{", NULL },
		{ "[]", NULL },
		{ "{\"return\":[]}", NULL },
		{ "{\"return\":1,\"return\":{\"pid\":1}}", NULL },
		{ "{\"return\":{\"pid\":\"1\"}}", NULL },
		{ "{\"return\":{}}", NULL },
		{ pid, "{\"return\":{}}" },
		{ pid, "{\"return\":{\"exited\":1}}" },
		{ pid, "{\"return\":{\"exited\":true,\"exitcode\":\"0\"}}" },
		{ pid, "{\"return\":{\"exited\":true,\"exitcode\":-1}}" },
		{ pid, "{\"return\":{\"exited\":true,\"exitcode\":99999999999}}" },
		{ pid, "{\"return\":{\"exited\":true,\"signal\":-2}}" },
		{ pid, "{\"return\":{\"exited\":true,\"exitcode\":0,\"out-data\":7}}" },
		{ pid, "{\"return\":{\"exited\":true,\"exitcode\":0,\"out-data\":\"a\"}}" },
		{ pid, "{\"return\":{\"exited\":true,\"exitcode\":0,\"err-data\":\"====\"}}" },
		{ pid, "{\"return\":{\"exited\":true,\"exitcode\":0,\"err-data\":\"YQ=\"}}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		__attribute__((cleanup(world_done))) struct world world = world_new(
			DOMAIN(" state='connected'"), cases[i]);

		assert_int_equal(run(&world), -1);
		assert_int_equal(world.problem, HV_AGENT_BROKEN);
		assert_int_equal(world.fail.kind, FAIL_HV);
		assert_null(world.output);
	}
}

static void more_than_libvirt_carries(void **state)
{
	size_t length = 5 << 20;
	char *long_answer = mem_alloc(length + 1, 1);
	const char *says[2] = { long_answer, "{\"return\":{\"exited\":true}}" };
	__attribute__((cleanup(world_done))) struct world world = world_new(
		DOMAIN(" state='connected'"), says);

	(void)state;
	memset(long_answer, ' ', length);
	memcpy(long_answer, "{\"return\":{\"pid\":1}}", 20);
	assert_int_equal(run(&world), -1);
	assert_int_equal(world.problem, HV_AGENT_BROKEN);
	free(long_answer);
}

static void words_steer_no_terminal_and_no_parser(void **state)
{
	static const char *const says[] = { NULL, NULL };
	static const char *const bad[] = { "/bin/echo", "\xff", NULL };
	__attribute__((cleanup(world_done))) struct world world = world_new(
		DOMAIN(" state='connected'"), says);

	(void)state;
	assert_int_equal(run(&world), -1);
	assert_non_null(strstr(world.fail.items[0].cause, "\\x1b[31mno"));
	fail_done(&world.fail);
	assert_int_equal(
		hv_agent_exec(world.hv, UUID, bad, 1, &world.output, &world.problem, &world.fail),
		-1);
	assert_int_equal(world.fail.kind, FAIL_USAGE);
	assert_null(strstr(said, "echo\",\"arg\":[]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_answers),
		cmocka_unit_test(a_program_ends_with_what_it_wrote),
		cmocka_unit_test(a_program_that_a_signal_ended),
		cmocka_unit_test(a_program_that_does_not_end),
		cmocka_unit_test(failures_are_told_apart),
		cmocka_unit_test(a_vm_that_is_off),
		cmocka_unit_test(hostile_answers),
		cmocka_unit_test(more_than_libvirt_carries),
		cmocka_unit_test(words_steer_no_terminal_and_no_parser),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
