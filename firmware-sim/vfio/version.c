/* SPDX-License-Identifier: MIT */
#include "version.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <string.h>

#define MAX_JSON	4096
#define MAX_DEPTH	8

/* Ours; offered to a client only as far as it named them, as the protocol asks. */
static const struct {
	const char *name;
	uint32_t value;
} capabilities[] = {
	{ "max_msg_fds", VU_MAX_MSG_FDS },
	{ "max_data_xfer_size", VU_MAX_DATA_XFER },
	{ "max_dma_maps", VU_MAX_DMA_MAPS },
	{ "pgsizes", VU_PAGE_SIZE },
};
#define CAPABILITIES	(sizeof(capabilities) / sizeof(capabilities[0]))

static struct json_object *parse(const char *text, size_t len)
{
	struct json_tokener *tok = json_tokener_new_ex(MAX_DEPTH);
	struct json_object *obj = NULL;

	if (!tok)
		return NULL;
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* The terminating NUL goes along: without it a number could still be going on. */
	obj = json_tokener_parse_ex(tok, text, (int)len);
	if (json_tokener_get_error(tok) != json_tokener_success ||
	    !json_object_is_type(obj, json_type_object)) {
		json_object_put(obj);
		obj = NULL;
	}
	json_tokener_free(tok);
	return obj;
}

static int read_capabilities(struct json_object *caps, bool *named, struct vu_limits *limits)
{
	for (size_t i = 0; i < CAPABILITIES; i++) {
		struct json_object *v;

		if (!json_object_object_get_ex(caps, capabilities[i].name, &v))
			continue;
		if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0)
			return -EINVAL;
		named[i] = true;
		if (!strcmp(capabilities[i].name, "max_msg_fds")) {
			int64_t n = json_object_get_int64(v);

			limits->max_msg_fds = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
		}
	}
	return 0;
}

static int write_capabilities(const bool *named, char *text, size_t room)
{
	struct json_object *root = json_object_new_object(), *caps = json_object_new_object();
	const char *json;
	int len = -ENOMEM;

	if (root && caps) {
		for (size_t i = 0; i < CAPABILITIES; i++)
			if (named[i])
				json_object_object_add(caps, capabilities[i].name,
						       json_object_new_int64(capabilities[i].value));
		json_object_object_add(root, "capabilities", json_object_get(caps));
		json = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN);
		if (json && strlen(json) < room) {
			len = (int)strlen(json) + 1;
			memcpy(text, json, len);
		}
	}
	json_object_put(caps);
	json_object_put(root);
	return len;
}

int version_negotiate(const void *data, size_t len, void *reply, size_t room,
		      struct vu_limits *limits)
{
	bool named[CAPABILITIES] = { false };
	struct vu_version version;
	int err = 0, text_len;

	limits->max_msg_fds = 1;
	if (len < sizeof(version) || len > sizeof(version) + MAX_JSON)
		return -EINVAL;
	memcpy(&version, data, sizeof(version));
	if (version.major != VU_VERSION_MAJOR)
		return -ENOTSUP;
	if (version.minor > VU_VERSION_MINOR)
		version.minor = VU_VERSION_MINOR;

	if (len > sizeof(version)) {
		const char *text = (const char *)data + sizeof(version);
		size_t text_room = len - sizeof(version);
		struct json_object *root, *caps;

		if (memchr(text, '\0', text_room) != text + text_room - 1)
			return -EINVAL;
		root = parse(text, text_room);
		if (!root)
			return -EINVAL;
		if (json_object_object_get_ex(root, "capabilities", &caps))
			err = json_object_is_type(caps, json_type_object) ?
			      read_capabilities(caps, named, limits) : -EINVAL;
		json_object_put(root);
		if (err)
			return err;
	}
	memcpy(reply, &version, sizeof(version));
	text_len = write_capabilities(named, (char *)reply + sizeof(version),
				      room - sizeof(version));
	return text_len < 0 ? text_len : (int)sizeof(version) + text_len;
}
