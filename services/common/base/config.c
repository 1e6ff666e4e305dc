// Settings of a program: fallbacks, then the environment, then flags; the later source wins. Each value knows where it
// came from, so that an error can say which text to mend.
#include "services/common/base/config.h"

#include "services/common/base/cleanup.h"
#include "services/common/base/fd.h"
#include "services/common/base/parse.h"
#include "services/common/base/version.h"
#include "services/common/base/wrap.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_SIZE 80
#define SECRET_LIMIT_BYTES 65536

static const char *setting_suffix(const struct config_setting *setting)
{
    return setting->type == CONFIG_SECRET ? "-file" : "";
}

// "--database-url", "--token-file"
static void flag_name(const struct config_setting *setting, char out[static NAME_SIZE])
{
    snprintf(out, NAME_SIZE, "--%s%s", setting->name, setting_suffix(setting));
}

// "CURFEW_DATABASE_URL", "CURFEW_TOKEN_FILE"
static void environment_name(const struct config_setting *setting, char out[static NAME_SIZE])
{
    snprintf(out, NAME_SIZE, "CURFEW_%s%s", setting->name, setting_suffix(setting));
    for (char *at = out; *at; at++) {
        if (*at == '-')
            *at = '_';
        else if (*at >= 'a' && *at <= 'z')
            *at = (char)(*at - 'a' + 'A');
    }
}

static void *field_of(const struct config_setting *setting, void *settings)
{
    return (char *)settings + setting->offset;
}

static int set_text(char **field, const char *text, struct err *err)
{
    char *copy = strdup(text);
    if (!copy)
        return err_set(err, ERR_NO_MEMORY, "out of memory for a setting");
    free(*field);
    *field = copy;
    return 0;
}

// Reads the file that holds a secret, without the line's end behind it.
static int set_secret(char **field, const char *path, const char *source, struct err *err)
{
    AUTO_FREE char *content = NULL;
    size_t length = 0;
    if (file_read(path, SECRET_LIMIT_BYTES, &content, &length, err) < 0)
        return err_prefix(err, "%s", source);
    if (strlen(content) != length)
        return err_set(err, ERR_INVALID, "%s: file '%s' contains a NUL byte", source, path);
    while (length > 0 && (content[length - 1] == '\n' || content[length - 1] == '\r'))
        content[--length] = '\0';
    if (length == 0)
        return err_set(err, ERR_INVALID, "%s: file '%s' is empty", source, path);
    free(*field);
    *field = TAKE_PTR(content);
    return 0;
}

static int set_boolean(bool *field, const char *text, const char *source, struct err *err)
{
    static const char *const words[] = {"false", "true", "no", "yes", "0", "1"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *field = i % 2 == 1;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "%s: '%.40s' is not true or false", source, text);
}

// "5s" for people, in the setting's own notation.
static void format_number(const struct config_setting *setting, int64_t value,
                          char out[static PARSE_DURATION_TEXT_SIZE])
{
    if (setting->type == CONFIG_DURATION)
        duration_format(value, out);
    else
        snprintf(out, PARSE_DURATION_TEXT_SIZE, "%lld", (long long)value);
}

static int check_bounds(const struct config_setting *setting, int64_t value, const char *source, struct err *err)
{
    bool unbounded = setting->min == 0 && setting->max == 0;
    int64_t max = unbounded ? INT64_MAX : setting->max;
    if (value >= setting->min && value <= max)
        return 0;
    char shown[PARSE_DURATION_TEXT_SIZE], least[PARSE_DURATION_TEXT_SIZE], most[PARSE_DURATION_TEXT_SIZE];
    format_number(setting, value, shown);
    format_number(setting, setting->min, least);
    format_number(setting, max, most);
    if (max == INT64_MAX)
        return err_set(err, ERR_INVALID, "%s: %s is less than %s", source, shown, least);
    return err_set(err, ERR_INVALID, "%s: %s is not within %s and %s", source, shown, least, most);
}

static int set_number(const struct config_setting *setting, int64_t *field, const char *text, const char *source,
                      struct err *err)
{
    int64_t value = 0;
    int outcome = 0;
    if (setting->type == CONFIG_DURATION)
        outcome = parse_duration_ms(text, source, &value, err);
    else if (setting->type == CONFIG_SIZE)
        outcome = parse_size_bytes(text, source, &value, err);
    else
        outcome = parse_i64(text, INT64_MIN, INT64_MAX, source, &value, err);
    if (outcome < 0 || check_bounds(setting, value, source, err) < 0)
        return -1;
    *field = value;
    return 0;
}

static int set_value(const struct config_setting *setting, void *settings, const char *text, const char *source,
                     struct err *err)
{
    void *field = field_of(setting, settings);
    switch (setting->type) {
    case CONFIG_TEXT:
        return set_text(field, text, err);
    case CONFIG_SECRET:
        return set_secret(field, text, source, err);
    case CONFIG_BOOLEAN:
        return set_boolean(field, text, source, err);
    case CONFIG_INTEGER:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        return set_number(setting, field, text, source, err);
    }
    return err_set(err, ERR_INTERNAL, "setting '%s' has no type", setting->name);
}

// A secret's value in the environment would be inherited by every process that the program starts.
static int refuse_plain_secret(const struct config_setting *setting, const char *file_variable, struct err *err)
{
    char plain[NAME_SIZE];
    snprintf(plain, sizeof plain, "%.*s", (int)(strlen(file_variable) - strlen("_FILE")), file_variable);
    if (setting->type != CONFIG_SECRET || !getenv(plain))
        return 0;
    return err_set(err, ERR_INVALID, "environment %s is not read: write the secret to a file and set %s", plain,
                   file_variable);
}

static int load_environment(const struct config_setting *setting, void *settings, struct err *err)
{
    char name[NAME_SIZE];
    environment_name(setting, name);
    if (refuse_plain_secret(setting, name, err) < 0)
        return -1;
    const char *text = getenv(name);
    if (!text || !*text)
        return 0;
    char source[NAME_SIZE + 16];
    snprintf(source, sizeof source, "environment %s", name);
    return set_value(setting, settings, text, source, err);
}

static int load_defaults(const struct config_table *table, void *settings, struct err *err)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct config_setting *setting = &table->settings[i];
        char source[NAME_SIZE + 16];
        snprintf(source, sizeof source, "default of %s", setting->name);
        if (setting->fallback && set_value(setting, settings, setting->fallback, source, err) < 0)
            return -1;
        if (load_environment(setting, settings, err) < 0)
            return -1;
    }
    return 0;
}

// One flag of the command line. `setting` is NULL for the flags that every program has.
struct flag {
    const char *text; // as given
    const struct config_setting *setting;
    const char *value;
};

static const char *const common_flags[] = {"--help", "-h", "--version", "--help-markdown"};

static bool is_common_flag(const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(common_flags); i++)
        if (strcmp(text, common_flags[i]) == 0)
            return true;
    return false;
}

// The setting whose flag is the first `length` bytes of `text`, or NULL.
static const struct config_setting *find_setting(const struct config_table *table, const char *text, size_t length)
{
    for (size_t i = 0; i < table->count; i++) {
        char name[NAME_SIZE];
        flag_name(&table->settings[i], name);
        if (strlen(name) == length && strncmp(name, text, length) == 0)
            return &table->settings[i];
    }
    return NULL;
}

static int unknown_flag(const struct config_table *table, const char *text, size_t length, struct err *err)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct config_setting *setting = &table->settings[i];
        if (setting->type == CONFIG_SECRET && strlen(setting->name) + 2 == length &&
            strncmp(setting->name, text + 2, length - 2) == 0)
            return err_set(err, ERR_INVALID, "flag --%s does not exist: a secret is read from a file, see --%s-file",
                           setting->name, setting->name);
    }
    return err_set(err, ERR_INVALID, "flag %.*s does not exist: see %s --help", (int)MIN(length, (size_t)60), text,
                   table->program);
}

// Reads the flag at argv[*at] and moves behind it. 1: *out is filled; 0: flags have ended, *at is the first positional.
static int next_flag(const struct config_table *table, int argc, char **argv, int *at, struct flag *out,
                     struct err *err)
{
    if (*at >= argc || argv[*at][0] != '-' || strcmp(argv[*at], "-") == 0)
        return 0;
    const char *text = argv[(*at)++];
    if (strcmp(text, "--") == 0)
        return 0;
    *out = (struct flag){.text = text};
    if (is_common_flag(text))
        return 1;
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    out->setting = find_setting(table, text, length);
    if (!out->setting)
        return unknown_flag(table, text, length, err);
    if (equals)
        out->value = equals + 1;
    else if (out->setting->type == CONFIG_BOOLEAN)
        out->value = "true";
    else if (*at < argc)
        out->value = argv[(*at)++];
    else
        return err_set(err, ERR_INVALID, "flag %s needs a value", text);
    return 1;
}

static void print_common(const struct config_table *table, const char *flag)
{
    if (strcmp(flag, "--version") == 0)
        printf("%s %s\n", table->program, CURFEW_VERSION);
    else if (strcmp(flag, "--help-markdown") == 0)
        config_print_markdown(table, stdout);
    else
        config_print_help(table, stdout);
}

// Looks for mistakes and for a flag that only prints, before any value is read. 1: something was printed.
static int scan_flags(const struct config_table *table, int argc, char **argv, int *positionals, struct err *err)
{
    struct flag flag = {0};
    int outcome = 0;
    int at = MIN(argc, 1);
    while ((outcome = next_flag(table, argc, argv, &at, &flag, err)) > 0) {
        if (!flag.setting) {
            print_common(table, flag.text);
            return 1;
        }
    }
    *positionals = at;
    return outcome;
}

static int load_flags(const struct config_table *table, int argc, char **argv, void *settings, struct err *err)
{
    struct flag flag = {0};
    int outcome = 0;
    int at = MIN(argc, 1);
    while ((outcome = next_flag(table, argc, argv, &at, &flag, err)) > 0) {
        if (!flag.setting)
            continue;
        char source[NAME_SIZE + 16];
        char name[NAME_SIZE];
        flag_name(flag.setting, name);
        snprintf(source, sizeof source, "flag %s", name);
        if (set_value(flag.setting, settings, flag.value, source, err) < 0)
            return -1;
    }
    return outcome;
}

static bool is_missing(const struct config_setting *setting, void *settings)
{
    bool is_text = setting->type == CONFIG_TEXT || setting->type == CONFIG_SECRET;
    return is_text && !*(char **)field_of(setting, settings);
}

static int check_required(const struct config_table *table, void *settings, struct err *err)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct config_setting *setting = &table->settings[i];
        if (!setting->required || !is_missing(setting, settings))
            continue;
        char flag[NAME_SIZE], variable[NAME_SIZE];
        flag_name(setting, flag);
        environment_name(setting, variable);
        return err_set(err, ERR_INVALID, "%s is required: set %s or give %s", setting->name, variable, flag);
    }
    return 0;
}

static int load_all(const struct config_table *table, int argc, char **argv, void *settings, struct err *err)
{
    if (load_defaults(table, settings, err) < 0 || load_flags(table, argc, argv, settings, err) < 0)
        return -1;
    return check_required(table, settings, err);
}

int config_load(const struct config_table *table, int argc, char **argv, void *settings, int *rest, struct err *err)
{
    int positionals = 0;
    int outcome = scan_flags(table, argc, argv, &positionals, err);
    if (outcome != 0)
        return outcome;
    if (!rest && positionals < argc)
        return err_set(err, ERR_INVALID, "argument '%.60s' is not expected: see %s --help", argv[positionals],
                       table->program);
    if (load_all(table, argc, argv, settings, err) < 0) {
        config_release(table, settings);
        return -1;
    }
    if (rest)
        *rest = positionals;
    return 0;
}

void config_release(const struct config_table *table, void *settings)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct config_setting *setting = &table->settings[i];
        if (setting->type != CONFIG_TEXT && setting->type != CONFIG_SECRET)
            continue;
        char **field = field_of(setting, settings);
        free(*field);
        *field = NULL;
    }
}

static const char *type_word(enum config_type type)
{
    switch (type) {
    case CONFIG_TEXT:
        return "text";
    case CONFIG_INTEGER:
        return "integer";
    case CONFIG_DURATION:
        return "duration";
    case CONFIG_SIZE:
        return "size";
    case CONFIG_BOOLEAN:
        return "boolean";
    case CONFIG_SECRET:
        return "file";
    }
    return "";
}

static const char *arguments_of(const struct config_table *table)
{
    return table->arguments ? table->arguments : "[SETTINGS]";
}

void config_print_help(const struct config_table *table, FILE *out)
{
    fprintf(out, "usage: %s %s\n\n", table->program, arguments_of(table));
    wrap_print(out, table->synopsis, 0, 0);
    fputs("\n", out);
    fputs("Settings (flags win over the environment; --NAME VALUE or --NAME=VALUE):\n", out);
    for (size_t i = 0; i < table->count; i++) {
        const struct config_setting *setting = &table->settings[i];
        char flag[NAME_SIZE], variable[NAME_SIZE];
        flag_name(setting, flag);
        environment_name(setting, variable);
        fprintf(out, "\n  %s %s\n", flag, type_word(setting->type));
        wrap_print(out, setting->meaning, 6, 0);
        fprintf(out, "      environment %s", variable);
        if (setting->fallback)
            fprintf(out, ", default %s", *setting->fallback ? setting->fallback : "\"\"");
        fprintf(out, "%s\n", setting->required ? ", required" : "");
    }
    fputs("\n  --help, -h\n      Prints this.\n\n  --version\n      Prints the version.\n", out);
}

void config_print_markdown(const struct config_table *table, FILE *out)
{
    fprintf(out, "## %s\n\n%s\n\n", table->program, table->synopsis);
    fprintf(out, "Usage: `%s %s`\n\n", table->program, arguments_of(table));
    fputs("| Flag | Environment | Type | Default | Meaning |\n| --- | --- | --- | --- | --- |\n", out);
    for (size_t i = 0; i < table->count; i++) {
        const struct config_setting *setting = &table->settings[i];
        char flag[NAME_SIZE], variable[NAME_SIZE];
        flag_name(setting, flag);
        environment_name(setting, variable);
        fprintf(out, "| `%s` | `%s` | %s | ", flag, variable, type_word(setting->type));
        if (setting->required)
            fputs("required", out);
        else if (setting->fallback && *setting->fallback)
            fprintf(out, "`%s`", setting->fallback);
        fprintf(out, " | %s |\n", setting->meaning);
    }
    fputs("\n", out);
}
