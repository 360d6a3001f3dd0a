/* SPDX-License-Identifier: MIT */
/* Tables for people, through libsmartcols. */
#ifndef CTL_TEXT_TABLE_H
#define CTL_TEXT_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct libscols_table;
struct libscols_line;

/* A ">NAME" column is aligned right. NULL-terminated list. */
struct libscols_table *ctl_table_new(const char *const *columns, bool headings);
/* Add a cell to the last line of the table; ctl_table_line() starts one. */
void ctl_table_line(struct libscols_table *t);
void ctl_table_cell(struct libscols_table *t, unsigned int column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A line "key value" in a two-column table. */
void ctl_table_pair(struct libscols_table *t, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Print and free. */
void ctl_table_print(struct libscols_table *t);

extern const char *const ctl_pair_columns[];

#endif
