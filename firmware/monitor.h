/* SPDX-License-Identifier: BSD-2-Clause */
/* What the firmware watches, each as a question with a yes or no. All answer false at *bus where the bus failed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Tables that are not trusted, a bit each, of all but those in `unused`. */
uint32_t monitor_distrusted(uint32_t unused, bool *bus);

/* Whether table `number` is not trusted, unless it is in `unused`. */
bool monitor_distrusts(uint32_t number, uint32_t unused, bool *bus);

/* Remember the missed deadlines so far: only those of the job that is armed now count. */
void monitor_begin(bool *bus);

/* Whether backlog or missed deadlines are above the host's limits. What is above is logged. */
bool monitor_exceeded(bool *bus);

/* Whether the job has ended by itself. */
bool monitor_finished(bool *bus);

/* The board's fault conditions. */
uint32_t monitor_faults(bool *bus);
