// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <libsmartcols.h>

#include "text_table.h"

const char *const ctl_pair_columns[] = { "KEY", "VALUE", NULL };

struct libscols_table *ctl_table_new(const char *const *columns, bool headings)
{
	struct libscols_table *t = scols_new_table();

	if (!t)
		abort();	/* a few hundred bytes: nothing sensible is left to do */
	scols_table_enable_noheadings(t, !headings);
	for (; *columns; columns++) {
		bool right = **columns == '>';

		scols_table_new_column(t, *columns + right, 0, right ? SCOLS_FL_RIGHT : 0);
	}
	return t;
}

void ctl_table_line(struct libscols_table *t)
{
	scols_table_new_line(t, NULL);
}

static void set_cell(struct libscols_table *t, unsigned int column, const char *format, va_list ap)
{
	struct libscols_line *line = scols_table_get_line(t, scols_table_get_nlines(t) - 1);
	char text[1024];

	vsnprintf(text, sizeof(text), format, ap);
	if (line)
		scols_line_set_data(line, column, text);
}

void ctl_table_cell(struct libscols_table *t, unsigned int column, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	set_cell(t, column, format, ap);
	va_end(ap);
}

void ctl_table_pair(struct libscols_table *t, const char *key, const char *format, ...)
{
	va_list ap;

	ctl_table_line(t);
	ctl_table_cell(t, 0, "%s", key);
	va_start(ap, format);
	set_cell(t, 1, format, ap);
	va_end(ap);
}

void ctl_table_print(struct libscols_table *t)
{
	scols_print_table(t);
	scols_unref_table(t);
}
