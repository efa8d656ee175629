// SPDX-License-Identifier: MIT
#include "tests/lab/gpu-server/message.h"

#include <errno.h>
#include <linux/vfio.h>
#include <string.h>

#define HEADER sizeof(struct protocol_header)

struct request {
	struct message_client *client;
	const uint8_t *payload;
	size_t length;
	size_t fd_count;
	struct message_reply *reply;
	enum message_verdict verdict;
};

/* What stands first in it; commands[] says that there is so much. */
static void take(const struct request *request, void *to, size_t length)
{
	memcpy(to, request->payload, length);
}

static void answer(struct request *request, const void *data, size_t length)
{
	memcpy(request->reply->bytes + request->reply->length, data, length);
	request->reply->length += length;
}

static int version(struct request *request)
{
	static const uint16_t ours[2] = { 0, 0 };
	static const char data[] =
		"{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":65536}}";
	uint16_t theirs[2];

	_Static_assert(PROTOCOL_FDS_MAX == 16 && PROTOCOL_DATA_MAX == 65536, "what data says");
	take(request, theirs, sizeof theirs);
	if (request->length > sizeof theirs && request->payload[request->length - 1] != '\0')
		return EINVAL;
	if (request->client->is_known || theirs[0] != ours[0]) {
		request->verdict = MESSAGE_ENDS;
		return EPROTO;
	}
	request->client->is_known = true;
	answer(request, ours, sizeof ours);
	answer(request, data, sizeof data);
	return 0;
}

static int range_of(uint64_t address, uint64_t length, uint64_t *ret_last)
{
	if (length == 0 || address > UINT64_MAX - (length - 1))
		return EINVAL;
	*ret_last = address + (length - 1);
	return 0;
}

static int dma_map(struct request *request)
{
	struct protocol_dma_map map;
	uint64_t last;

	take(request, &map, sizeof map);
	if (map.argsz < sizeof map || (map.flags & ~3u) != 0 || request->fd_count > 1 ||
	    range_of(map.address, map.length, &last) != 0)
		return EINVAL;
	maps_add(&request->client->maps, map.address, last, (map.flags & 2) != 0);
	return 0;
}

static int dma_unmap(struct request *request)
{
	struct protocol_dma_unmap unmap;
	uint64_t first = 0, last = UINT64_MAX;

	take(request, &unmap, sizeof unmap);
	if (unmap.argsz < sizeof unmap || (unmap.flags & ~PROTOCOL_UNMAP_ALL) != 0)
		return EINVAL;
	if (unmap.flags == 0) {
		first = unmap.address;
		if (range_of(unmap.address, unmap.length, &last) != 0)
			return EINVAL;
	}
	maps_remove(&request->client->maps, first, last);
	answer(request, &unmap, sizeof unmap);
	return 0;
}

static int get_info(struct request *request)
{
	uint32_t info[4];

	take(request, info, sizeof info);
	if (info[0] < sizeof info)
		return EINVAL;
	info[0] = sizeof info;
	info[1] = VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI;
	info[2] = PROTOCOL_REGIONS;
	info[3] = PROTOCOL_IRQS;
	answer(request, info, sizeof info);
	return 0;
}

static uint64_t region_length(const struct gpu *gpu, uint32_t index)
{
	if (index < GPU_BARS)
		return gpu->shape.bars[index].length;
	return index == PROTOCOL_CONFIG_REGION ? GPU_CONFIG_BYTES : 0;
}

static int get_region_info(struct request *request)
{
	const struct gpu *gpu = request->client->gpu;
	struct vfio_region_info info;

	take(request, &info, sizeof info);
	if (info.argsz < sizeof info || info.index >= PROTOCOL_REGIONS)
		return EINVAL;
	info = (struct vfio_region_info){ .argsz = sizeof info,
					  .index = info.index,
					  .size = region_length(gpu, info.index) };
	if (info.size > 0)
		info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	if (info.index < GPU_BARS && gpu->memory[info.index] >= 0) {
		info.flags |= VFIO_REGION_INFO_FLAG_MMAP;
		request->reply->fd = gpu->memory[info.index];
	}
	answer(request, &info, sizeof info);
	return 0;
}

/* How many interrupts of a kind there are. */
static uint32_t irq_count(const struct gpu *gpu, uint32_t index)
{
	switch (index) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		return gpu->shape.interrupt_pin != 0;
	case VFIO_PCI_MSI_IRQ_INDEX:
		return gpu->shape.msi_vectors;
	case VFIO_PCI_MSIX_IRQ_INDEX:
		return gpu->shape.msix_vectors;
	default:
		return 0;
	}
}

static int get_irq_info(struct request *request)
{
	struct vfio_irq_info info;

	take(request, &info, sizeof info);
	if (info.argsz < sizeof info || info.index >= PROTOCOL_IRQS)
		return EINVAL;
	info.argsz = sizeof info;
	info.count = irq_count(request->client->gpu, info.index);
	info.flags = 0;
	if (info.count > 0)
		info.flags = VFIO_IRQ_INFO_EVENTFD |
			     (info.index == VFIO_PCI_INTX_IRQ_INDEX
				      ? VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED
				      : VFIO_IRQ_INFO_NORESIZE);
	answer(request, &info, sizeof info);
	return 0;
}

static int check_irq_set(const struct request *request, const struct vfio_irq_set *set)
{
	uint32_t data = set->flags & VFIO_IRQ_SET_DATA_TYPE_MASK;
	uint32_t action = set->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
	uint32_t count;

	if (set->argsz < sizeof *set || set->flags != (data | action) ||
	    set->index >= PROTOCOL_IRQS || data == 0 || (data & (data - 1)) != 0 || action == 0 ||
	    (action & (action - 1)) != 0)
		return EINVAL;
	count = irq_count(request->client->gpu, set->index);
	if (set->start > count || set->count > count - set->start)
		return EINVAL;
	if (data == VFIO_IRQ_SET_DATA_BOOL && request->length - sizeof *set < set->count)
		return EINVAL;
	if (request->fd_count != 0 &&
	    (data != VFIO_IRQ_SET_DATA_EVENTFD || request->fd_count != set->count))
		return EINVAL;
	return 0;
}

static int set_irqs(struct request *request)
{
	struct vfio_irq_set set;
	uint32_t *vectors, end;

	take(request, &set, sizeof set);
	if (check_irq_set(request, &set) != 0)
		return EINVAL;
	if ((set.flags & VFIO_IRQ_SET_ACTION_TRIGGER) == 0)
		return 0;
	vectors = &request->client->vectors[set.index];
	end = set.start + set.count;
	if (request->fd_count > 0)
		*vectors = *vectors > end ? *vectors : end;
	/* No descriptors, no interrupts: from there on, or none at all. */
	else if ((set.flags & VFIO_IRQ_SET_DATA_EVENTFD) != 0 && *vectors <= end)
		*vectors = *vectors < set.start ? *vectors : set.start;
	else if ((set.flags & VFIO_IRQ_SET_DATA_NONE) != 0 && set.count == 0)
		*vectors = 0;
	return 0;
}

static int check_access(const struct request *request, const struct protocol_access *access)
{
	uint64_t length;

	if (access->region >= PROTOCOL_REGIONS || access->count == 0 ||
	    access->count > PROTOCOL_DATA_MAX)
		return EINVAL;
	length = region_length(request->client->gpu, access->region);
	return access->offset > length || access->count > length - access->offset ? EINVAL : 0;
}

static int region_read(struct request *request)
{
	const struct gpu *gpu = request->client->gpu;
	struct protocol_access access;
	uint8_t *data;
	int error = 0;

	take(request, &access, sizeof access);
	if (check_access(request, &access) != 0)
		return EINVAL;
	answer(request, &access, sizeof access);
	data = request->reply->bytes + request->reply->length;
	if (access.region == PROTOCOL_CONFIG_REGION)
		gpu_config_read(gpu, access.offset, data, access.count);
	else
		error = gpu_bar_read(gpu, access.region, access.offset, data, access.count);
	request->reply->length += access.count;
	return error;
}

static int region_write(struct request *request)
{
	struct gpu *gpu = request->client->gpu;
	struct protocol_access access;
	const uint8_t *data = request->payload + sizeof access;
	int error = 0;

	take(request, &access, sizeof access);
	if (check_access(request, &access) != 0 || request->length - sizeof access != access.count)
		return EINVAL;
	if (access.region == PROTOCOL_CONFIG_REGION)
		gpu_config_write(gpu, access.offset, data, access.count);
	else
		error = gpu_bar_write(gpu, access.region, access.offset, data, access.count);
	answer(request, &access, sizeof access);
	return error;
}

static int device_reset(struct request *request)
{
	return gpu_reset(request->client->gpu, GPU_RESET_BUS);
}

static const struct command {
	int (*handle)(struct request *request);
	size_t min, max; /* bytes behind the header */
	bool takes_fds;
	bool outlives; /* it works without the function */
} commands[] = {
	[PROTOCOL_VERSION] = { version, 4, 4096, false, true },
	[PROTOCOL_DMA_MAP] = { dma_map, sizeof(struct protocol_dma_map),
			       sizeof(struct protocol_dma_map), true, true },
	[PROTOCOL_DMA_UNMAP] = { dma_unmap, sizeof(struct protocol_dma_unmap),
				 sizeof(struct protocol_dma_unmap), false, true },
	[PROTOCOL_GET_INFO] = { get_info, 16, 32, false, false },
	[PROTOCOL_GET_REGION_INFO] = { get_region_info, sizeof(struct vfio_region_info),
				       sizeof(struct vfio_region_info), false, false },
	[PROTOCOL_GET_IRQ_INFO] = { get_irq_info, sizeof(struct vfio_irq_info),
				    sizeof(struct vfio_irq_info), false, false },
	[PROTOCOL_SET_IRQS] = { set_irqs, sizeof(struct vfio_irq_set),
				sizeof(struct vfio_irq_set) + 4096, true, false },
	[PROTOCOL_REGION_READ] = { region_read, sizeof(struct protocol_access),
				   sizeof(struct protocol_access), false, false },
	[PROTOCOL_REGION_WRITE] = { region_write, sizeof(struct protocol_access) + 1,
				    sizeof(struct protocol_access) + PROTOCOL_DATA_MAX, false,
				    false },
	[PROTOCOL_DEVICE_RESET] = { device_reset, 0, 0, false, false },
};

static int handle(struct request *request, const struct protocol_header *header)
{
	const struct command *command = &commands[0];

	if ((header->flags & ~PROTOCOL_NO_REPLY) != 0 || request->fd_count > PROTOCOL_FDS_MAX)
		return EINVAL;
	if (header->command < sizeof commands / sizeof commands[0])
		command = &commands[header->command];
	if (command->handle == NULL)
		return ENOTSUP;
	if (request->length < command->min || request->length > command->max ||
	    (request->fd_count > 0 && !command->takes_fds))
		return EINVAL;
	if (!request->client->is_known && header->command != PROTOCOL_VERSION)
		return EPROTO;
	if (request->client->gpu->fault == GPU_FAULT_GONE && !command->outlives)
		return EIO;
	return command->handle(request);
}

size_t message_length(const void *header)
{
	struct protocol_header read;

	memcpy(&read, header, sizeof read);
	return read.length >= HEADER && read.length <= PROTOCOL_MESSAGE_MAX ? read.length : 0;
}

enum message_verdict message_handle(struct message_client *client, const void *message,
				    size_t length, size_t fd_count, struct message_reply *reply)
{
	struct request request = { client, NULL, 0, fd_count, reply, MESSAGE_GOES_ON };
	struct protocol_header header;
	int error;

	reply->length = 0;
	reply->fd = -1;
	client->handled++;
	if (length < HEADER || message_length(message) != length) {
		client->refused++;
		return MESSAGE_ENDS;
	}
	memcpy(&header, message, HEADER);
	/* Nothing was asked, so this is an answer to nothing. */
	if ((header.flags & PROTOCOL_TYPE) == PROTOCOL_REPLY) {
		client->refused++;
		return MESSAGE_ENDS;
	}
	request.payload = (const uint8_t *)message + HEADER;
	request.length = length - HEADER;
	reply->length = HEADER;
	error = handle(&request, &header);
	client->refused += error != 0;
	if (error != 0) {
		reply->length = HEADER;
		reply->fd = -1;
	}
	if ((header.flags & PROTOCOL_NO_REPLY) != 0) {
		reply->length = 0;
		reply->fd = -1;
		return request.verdict;
	}
	header.length = (uint32_t)reply->length;
	header.flags = PROTOCOL_REPLY | (error != 0 ? PROTOCOL_ERROR : 0);
	header.error = (uint32_t)error;
	memcpy(reply->bytes, &header, HEADER);
	return request.verdict;
}

void message_forget(struct message_client *client)
{
	client->is_known = false;
	maps_clear(&client->maps);
	memset(client->vectors, 0, sizeof client->vectors);
}
