/* SPDX-License-Identifier: MIT */
#ifndef TESTS_GOLDEN_SUITES_H
#define TESTS_GOLDEN_SUITES_H

void suite_model(void);
void suite_vectors(void);

#endif
