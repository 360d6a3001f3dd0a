/* SPDX-License-Identifier: MIT */
/* --report, for people and as JSON. */
#ifndef PRINT_REPORT_H
#define PRINT_REPORT_H

#include "accelcc.h"

struct json_object;

void print_report_text(const struct accelcc_result *r);
/* The value of "report" in accelcc.compile/1. */
struct json_object *report_json(const struct accelcc_result *r);

#endif
