// SPDX-License-Identifier: MIT
#include "vmm/verify_guest.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/base/mem.h"
#include "vmm/base/text.h"

enum {
	MOST_BYTES = 2 << 20,
	MOST_LINE = 4096,
	MOST_DEVICES = 1024,
	MOST_TOOLS = 8,
	MOST_SHOWN = 300, /* bytes of a guest's words in a row */
};

/* The answer, line by line. */
struct lines {
	char *rest; /* NULL: at its end */
};

/* NULL at the end. */
static char *next_line(struct lines *lines)
{
	char *line = strsep(&lines->rest, "\n");

	/* The last line is ended too, so the piece behind it is no line. */
	return line == NULL || (lines->rest == NULL && *line == '\0') ? NULL : line;
}

/* NULL: nothing wrong with the answer as bytes. */
static const char *wrong_bytes(const char *text, size_t length)
{
	if (length > MOST_BYTES)
		return "it is longer than 2 MiB";
	if (memchr(text, '\0', length) != NULL)
		return "it has NUL bytes in it";
	if (strlen(text) != length)
		return "it is not as long as it says";
	return NULL;
}

/* Whether the answer is whole: our first and last line. */
static bool is_whole(const char *text, size_t length, const char *first)
{
	static const char last[] = "\n" VERIFY_LAST "\n";
	size_t first_length = strlen(first);

	return length > first_length + strlen(last) && text_starts(text, first) &&
	       text[first_length] == '\n' &&
	       memcmp(text + length - strlen(last), last, strlen(last)) == 0;
}

/* "0x10de" and the like: hexadecimal, within @most. */
static bool read_hex(const char *text, unsigned long long most, uint64_t *ret)
{
	size_t digits;
	char *end;

	if (!text_starts(text, "0x"))
		return false;
	digits = strspn(text + 2, "0123456789abcdefABCDEF");
	if (digits == 0 || digits > 16 || text[2 + digits] != '\0')
		return false;
	*ret = strtoull(text + 2, &end, 16);
	return *ret <= most;
}

static bool read_id(const char *value, uint16_t *ret)
{
	uint64_t number;

	if (!read_hex(value, 0xffff, &number))
		return false;
	*ret = (uint16_t)number;
	return true;
}

static bool read_vendor(char *value, struct verify_device *device)
{
	return read_id(value, &device->vendor_id);
}

static bool read_device(char *value, struct verify_device *device)
{
	return read_id(value, &device->device_id);
}

static bool read_class(char *value, struct verify_device *device)
{
	uint64_t number;

	if (!read_hex(value, 0xffffff, &number))
		return false;
	device->class_id = (uint16_t)(number >> 8);
	return true;
}

static bool read_node(char *value, struct verify_device *device)
{
	unsigned long long number;

	device->has_node = *value != '\0';
	device->node = -1;
	if (!device->has_node || text_equal(value, "-1"))
		return true;
	if (!text_number(value, &number) || number > 65535)
		return false;
	device->node = (int)number;
	return true;
}

static bool read_sleep(char *value, struct verify_device *device)
{
	device->is_suspended = text_equal(value, "suspended");
	return strlen(value) < 32;
}

/* "../../../devices/pci0000:20/0000:20:00.0/0000:21:00.0" */
static bool read_path(char *value, struct verify_device *device)
{
	static const char top[] = "../../../devices/";
	char above[DEVICE_ADDRESS_BYTES] = "";
	char here[DEVICE_ADDRESS_BYTES] = "";
	char *rest = value + strlen(top);
	char *word;

	if (!text_starts(value, top) || (word = strsep(&rest, "/")) == NULL ||
	    !text_starts(word, "pci") || strlen(word) >= sizeof device->root_bus)
		return false;
	memcpy(device->root_bus, word, strlen(word) + 1);
	while ((word = strsep(&rest, "/")) != NULL) {
		memcpy(above, here, sizeof above);
		if (!device_parse_address(word, here) || ++device->depth > 64)
			return false;
	}
	memcpy(device->parent, above, sizeof above);
	if (device->depth == 0 || !text_equal(here, device->address))
		return false;
	device->depth--;
	return true;
}

static bool read_driver(char *value, struct verify_device *device)
{
	const char *slash = strrchr(value, '/');
	const char *name = slash == NULL ? value : slash + 1;

	if (strlen(name) > 64)
		return false;
	free(device->driver);
	device->driver = *name == '\0' ? NULL : text_printable(name, 64);
	return true;
}

/* "0x0000383000000000 0x000038301fffffff 0x000000000014220c"; all zero: there is none */
static bool read_bar(char *value, struct verify_device *device)
{
	const uint64_t unset = 0x20000000; /* IORESOURCE_UNSET, include/linux/ioport.h */
	uint64_t numbers[3];
	struct verify_bar *bar;
	char *rest = value;

	for (size_t i = 0; i < 3; i++) {
		char *word = strsep(&rest, " ");

		if (word == NULL || !read_hex(word, UINT64_MAX, &numbers[i]))
			return false;
	}
	if (rest != NULL || device->bar_count >= DEVICE_BARS || numbers[1] < numbers[0])
		return false;
	bar = &device->bars[device->bar_count++];
	bar->address = numbers[0];
	bar->is_assigned = numbers[0] != 0 && (numbers[2] & unset) == 0;
	if (numbers[2] != 0 && numbers[1] - numbers[0] != UINT64_MAX)
		bar->size_bytes = numbers[1] - numbers[0] + 1;
	return true;
}

/* In this order, each once; "bar" may be there DEVICE_BARS times, or less. */
static const struct {
	const char *key;
	bool (*read)(char *value, struct verify_device *device);
} fields[] = {
	{ "vendor ", read_vendor }, { "device ", read_device }, { "class ", read_class },
	{ "node ", read_node },     { "sleep ", read_sleep },   { "path ", read_path },
	{ "driver ", read_driver },
};
#define FIELDS (sizeof fields / sizeof *fields)

static const char *read_line(struct verify_guest *guest, size_t *field, char *line)
{
	struct verify_device *device = guest->count == 0 ? NULL : &guest->devices[guest->count - 1];

	if (text_starts(line, "pci ")) {
		if ((guest->count > 0 && *field != FIELDS) || guest->count == MOST_DEVICES)
			return "a function is told by halves";
		device = MEM_APPEND(guest->devices, guest->count);
		*field = 0;
		return device_parse_address(line + 4, device->address)
			       ? NULL
			       : "a function's address is malformed";
	}
	if (device == NULL)
		return "it does not begin with a function";
	if (*field == FIELDS)
		return text_starts(line, "bar ") && read_bar(line + 4, device)
			       ? NULL
			       : "a BAR is malformed";
	if (!text_starts(line, fields[*field].key) ||
	    !fields[*field].read(line + strlen(fields[*field].key), device))
		return "a function's description is malformed";
	(*field)++;
	return NULL;
}

/* A copy of @text to be taken apart by @ret_lines, if it can be an answer that begins with @first. The caller frees. */
static char *begin(const char *text, size_t length, const char *first, struct lines *ret_lines,
		   const char **ret_problem)
{
	*ret_problem = wrong_bytes(text, length);
	if (*ret_problem != NULL)
		return NULL;
	*ret_problem = "it is not whole";
	if (!is_whole(text, length, first))
		return NULL;
	ret_lines->rest = mem_strdup(text);
	return ret_lines->rest;
}

struct verify_guest *verify_guest_parse(const char *text, size_t length, const char **ret_problem)
{
	CLEANUP(verify_guest) struct verify_guest *guest = mem_alloc(1, sizeof *guest);
	CLEANUP(text) char *copy = NULL;
	struct lines lines;
	size_t field = FIELDS;
	char *line;

	copy = begin(text, length, VERIFY_GUEST_FIRST, &lines, ret_problem);
	if (copy == NULL)
		return NULL;
	for ((void)next_line(&lines); (line = next_line(&lines)) != NULL;) {
		if (text_equal(line, VERIFY_LAST))
			break;
		*ret_problem = strlen(line) > MOST_LINE ? "a line of it is too long"
							: read_line(guest, &field, line);
		if (*ret_problem != NULL)
			return NULL;
	}
	*ret_problem = "it goes on behind its end, or a function is told by halves";
	if (next_line(&lines) != NULL || field != FIELDS)
		return NULL;
	return STEAL(guest);
}

static bool is_tool_name(const char *name)
{
	return text_equal(name, "nvidia-smi") || text_equal(name, "rocm-smi");
}

/* "nvidia-smi 0 2" */
static bool read_tool(char *value, struct verify_drivers *drivers)
{
	char *rest = value;
	char *name = strsep(&rest, " ");
	char *code = strsep(&rest, " ");
	unsigned long long exit_code, count;
	struct verify_tool *tool;

	if (!is_tool_name(name) || code == NULL || rest == NULL || !text_number(code, &exit_code) ||
	    exit_code > 255 || !text_number(rest, &count) || count > MOST_DEVICES ||
	    drivers->tool_count == MOST_TOOLS)
		return false;
	tool = MEM_APPEND(drivers->tools, drivers->tool_count);
	tool->name = mem_strdup(name);
	tool->exit_code = (int)exit_code;
	tool->gpu_count = (unsigned)count;
	return true;
}

static bool read_said(const char *value, struct verify_drivers *drivers)
{
	struct verify_tool *tool = drivers->tool_count == 0
					   ? NULL
					   : &drivers->tools[drivers->tool_count - 1];

	if (tool == NULL || tool->said != NULL)
		return false;
	tool->said = text_printable(value, MOST_SHOWN);
	return true;
}

static bool read_message(const char *value, struct verify_drivers *drivers)
{
	if (!drivers->has_messages || drivers->message_count == VERIFY_MOST_MESSAGES)
		return false;
	*MEM_APPEND(drivers->messages, drivers->message_count) = text_printable(value, MOST_SHOWN);
	return true;
}

static bool read_drivers_line(struct verify_drivers *drivers, char *line)
{
	if (text_starts(line, "tool "))
		return read_tool(line + 5, drivers);
	if (text_starts(line, "said "))
		return read_said(line + 5, drivers);
	if (text_starts(line, "line "))
		return read_message(line + 5, drivers);
	if (!text_equal(line, "messages") || drivers->has_messages)
		return false;
	drivers->has_messages = true;
	return true;
}

struct verify_drivers *verify_drivers_parse(const char *text, size_t length,
					    const char **ret_problem)
{
	CLEANUP(verify_drivers) struct verify_drivers *drivers = mem_alloc(1, sizeof *drivers);
	CLEANUP(text) char *copy = NULL;
	struct lines lines;
	char *line;

	copy = begin(text, length, VERIFY_DRIVERS_FIRST, &lines, ret_problem);
	if (copy == NULL)
		return NULL;
	*ret_problem = "a line of it is malformed";
	for ((void)next_line(&lines); (line = next_line(&lines)) != NULL;) {
		if (text_equal(line, VERIFY_LAST))
			break;
		if (!read_drivers_line(drivers, line))
			return NULL;
	}
	if (next_line(&lines) != NULL)
		return NULL;
	return STEAL(drivers);
}

void verify_guest_free(struct verify_guest *guest)
{
	if (guest == NULL)
		return;
	for (size_t i = 0; i < guest->count; i++)
		free(guest->devices[i].driver);
	free(guest->devices);
	free(guest);
}

void verify_drivers_free(struct verify_drivers *drivers)
{
	if (drivers == NULL)
		return;
	for (size_t i = 0; i < drivers->tool_count; i++) {
		free(drivers->tools[i].name);
		free(drivers->tools[i].said);
	}
	for (size_t i = 0; i < drivers->message_count; i++)
		free(drivers->messages[i]);
	free(drivers->tools);
	free(drivers->messages);
	free(drivers);
}
