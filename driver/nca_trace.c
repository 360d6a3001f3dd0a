// SPDX-License-Identifier: GPL-2.0-only
#include "nca_ctx.h"
#include "nca_device.h"
#include "nca_queue.h"

#define CREATE_TRACE_POINTS
#include "nca_trace.h"
