// Clocks. Deadlines in a process use clock_boot_ms(): it does not stand still in suspend and nobody sets it.
// What has expired in the database, the database's own clock decides alone.
#pragma once

#include <stddef.h>
#include <stdint.h>

int64_t clock_boot_ms(void); // CLOCK_BOOTTIME, milliseconds
int64_t clock_boot_us(void); // CLOCK_BOOTTIME, microseconds
int64_t clock_wall_us(void); // CLOCK_REALTIME, microseconds since 1970; only for people and identifiers

#define CLOCK_TEXT_SIZE 32
// RFC 3339 in UTC with microseconds, "2026-01-31T12:00:00.000000Z".
void clock_format(int64_t wall_us, char out[static CLOCK_TEXT_SIZE]);
