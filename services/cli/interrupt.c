#include "services/cli/interrupt.h"

#include "services/common/base/macros.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char explanation[512];
static size_t explanation_length;
static volatile sig_atomic_t noted;

static void on_explain(int signal_number)
{
    if (write(STDERR_FILENO, explanation, explanation_length) < 0) {
        // nobody reads it
    }
    raise(signal_number); // the handler is gone: ends the process when it returns
}

static void on_note(int signal_number)
{
    UNUSED(signal_number);
    noted = 1;
}

static void set_handler(int signal_number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

void interrupt_explain(const char *text)
{
    snprintf(explanation, sizeof explanation, "%s", text);
    explanation_length = strlen(explanation);
    set_handler(SIGINT, on_explain);
}

void interrupt_note(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        set_handler(signals[i], on_note);
}

bool interrupt_noted(void)
{
    return noted;
}
