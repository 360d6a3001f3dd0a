/* SPDX-License-Identifier: MIT */
/* One implementation per output format; commands only fill in a result and call ctl_printer(). */
#ifndef CTL_PRINTER_H
#define CTL_PRINTER_H

#include "result.h"

struct ctl_printer {
	void (*list)(const struct ctl_list *r);
	void (*info)(const struct ctl_info *r);
	void (*graph)(const struct ctl_graph *r);
	void (*run)(const struct ctl_run *r);
	void (*bench_nop)(const struct ctl_bench_nop *r);
	void (*bench_copy)(const struct ctl_bench_copy *r);
	void (*bench_launch)(const struct ctl_bench_launch *r);
	void (*bench_share)(const struct ctl_bench_share *r);
	void (*selftest)(const struct ctl_selftest *r);
};

extern const struct ctl_printer ctl_print_text, ctl_print_json;

static inline const struct ctl_printer *ctl_printer(bool json)
{
	return json ? &ctl_print_json : &ctl_print_text;
}

/* Name of an enum ncx_type, as in .npy and ONNX files. */
const char *ctl_type_name(uint32_t type);
/* "[1, 8, 8]" in @buf. */
const char *ctl_shape_text(char *buf, size_t len, const int64_t *dim, uint32_t rank);
/* Name of an engine 0..4, for keys and columns. */
extern const char *const ctl_engine_names[5];
/* Why a device could not be opened, in one word. */
const char *ctl_open_state(int error);
const char *ctl_device_state(uint32_t state);

/* Parts of the JSON printer. */
struct json_object;
void ctl_json_put(struct json_object *root);
struct json_object *ctl_json_new(const char *schema);
void ctl_json_string(struct json_object *o, const char *key, const char *value);
void ctl_json_u64(struct json_object *o, const char *key, uint64_t value);
void ctl_json_double(struct json_object *o, const char *key, double value);
void ctl_json_bool(struct json_object *o, const char *key, bool value);
void ctl_json_summary(struct json_object *o, const char *key, const struct ctl_summary *s);
void ctl_json_bench_nop(const struct ctl_bench_nop *r);
void ctl_json_bench_copy(const struct ctl_bench_copy *r);
void ctl_json_bench_launch(const struct ctl_bench_launch *r);
void ctl_json_bench_share(const struct ctl_bench_share *r);
void ctl_json_selftest(const struct ctl_selftest *r);

/* Parts of the text printer. */
void ctl_text_bench_nop(const struct ctl_bench_nop *r);
void ctl_text_bench_copy(const struct ctl_bench_copy *r);
void ctl_text_bench_launch(const struct ctl_bench_launch *r);
void ctl_text_bench_share(const struct ctl_bench_share *r);
void ctl_text_selftest(const struct ctl_selftest *r);

#endif
