// Waiting on a condition with a limit that nobody's setting of the clock changes.
#pragma once

#include <pthread.h>
#include <stdint.h>

void condition_init(pthread_cond_t *condition);
// Waits for at most `delay_ms`; negative: until somebody signals. As all such waits it may end for no reason.
void condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t delay_ms);
void condition_wait_us(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t delay_us); // the same; from 0
