// Tokens, bundles, and the manager itself.
#include "services/jobmanager/api_schemas.h"

#include "services/common/model/quota.h"
#include "services/common/model/role.h"
#include "services/common/model/token_text.h"
#include "services/common/store/read.h"

static const char *role_word(int number)
{
    return role_name((int)ROLE_VIEWER + number);
}

static const char *const token_states[] = {"valid", "expired", "revoked", NULL};

static const struct schema_field token_request[] = {
    FIELD("name", "TokenName",
          "What it is for. Several tokens may have one name; in one namespace their jobs count together."),
    FIELD("role", "Role", "What it may do."),
    FIELD("expires_in", "Duration", "Without it, it is valid until it is revoked.", .optional = true),
    FIELD("namespace", "Namespace", "The only one that it sees: of a viewer or a submitter; without it, all.",
          .optional = true),
    FIELD("max_jobs", "QuotaLimit", "Open jobs.", .optional = true),
    FIELD("max_tasks", "QuotaLimit", "Tasks of its open jobs.", .optional = true),
    FIELD("max_services", "QuotaLimit", "Services of its open jobs.", .optional = true),
    FIELD("max_log_bytes", "QuotaLimit", "Bytes of log of all its jobs that are not deleted.", .optional = true),
};
static const struct schema_field token[] = {
    FIELD("id", "TokenId", "Its id."),
    FIELD("token", "TokenText", "Its text: in the reply that makes it, and nowhere else.", .optional = true),
    FIELD("name", "TokenName", "What it is for."),
    FIELD("role", "Role", "What it may do."),
    FIELD("namespace", "Namespace?", "The only one that it sees; null: all.", .example = "null"),
    FIELD("state", "TokenState", "Whether it still counts."),
    FIELD("created_at", "Time", "When it was made."),
    FIELD("created_by", "TokenName?", "With which token.", .example = "null"),
    FIELD("expires_at", "Time?", "Until when it counts; null: until it is revoked.", .example = "null"),
    FIELD("revoked_at", "Time?", "When it was revoked.", .example = "null"),
    FIELD("revoked_by", "TokenName?", "With which token.", .example = "null"),
    FIELD("max_jobs", "QuotaLimit?", "Open jobs.", .example = "null"),
    FIELD("max_tasks", "QuotaLimit?", "Tasks of its open jobs.", .example = "null"),
    FIELD("max_services", "QuotaLimit?", "Services of its open jobs.", .example = "null"),
    FIELD("max_log_bytes", "QuotaLimit?", "Bytes of log of all its jobs that are not deleted.", .example = "null"),
};
static const struct schema_field tokens_page[] = {
    FIELD("tokens", "Token[]", "Newest first, those that have ended too.", .max = READ_LIMIT_MAX),
    FIELD("next", "Cursor?", "The `cursor` of the page behind; null: there is none."),
};
static const struct schema_field bundle[] = {
    FIELD("bundle", "BundleName", "What a job calls it."),
    FIELD("bytes", "Bytes", "How large it is."),
};
static const struct schema_field version[] = {
    FIELD("name", "Word", "`curfew`.", .example = "\"curfew\""),
    FIELD("version", "Word", "Of this manager.", .example = "\"0.1.0\""),
};

static const char *const verdicts[] = {"ok", "warning", "wrong", NULL};
static const struct schema_field finding[] = {
    FIELD("check", "Word", "What was looked at.", .example = "\"autovacuum\""),
    FIELD("verdict", "Verdict", "What is to be thought of it."),
    FIELD("found", "Message", "What was seen.", .example = "\"on\""),
    FIELD("advice", "Message?", "What to do; null: nothing.", .example = "null"),
};
static const struct schema_field doctor[] = {
    FIELD("deployment", "Word", "The installation's name, in the labels of all containers.",
          .example = "\"5f0c3b1a2d4e\""),
    FIELD("at", "Time", "The database's clock."),
    FIELD("findings", "Finding[]", "Every check, whatever it found."),
};

static const struct schema schemas[] = {
    BODY("TokenRequest", token_request, "a token to make"),
    REPLY("Token", token, "a token"),
    REPLY("TokensPage", tokens_page, "a page of tokens"),
    REPLY("Bundle", bundle, "a bundle"),
    REPLY("Version", version, "a manager"),
    REPLY("Doctor", doctor, "what does not agree in an installation"),
    REPLY("Finding", finding, "a check of the doctor"),
    ONE_OF("Verdict", verdicts, "`warning`: it works, and is not how it should be"),
    WORD_OF("Role", role_word, ROLE_ADMIN - ROLE_VIEWER + 1, "what a token may do"),
    ONE_OF("TokenState", token_states, "whether a token still counts"),
    INTEGER("QuotaLimit", 0, QUOTA_MAX, "100",
            "a limit on what the jobs of a token are together; 0: none; without it "
            "the manager's settings count"),
    TEXT("TokenName", 1, TOKEN_NAME_SIZE - 1, "^[A-Za-z0-9._-]+$", "\"ci\"", "what a token is called"),
    TEXT("TokenText", 59, 59, "^curfew_[0-9a-z]{52}$",
         "\"curfew_0000000000000000000000000000000000000000000000000000\"", "the secret itself"),
};
const struct schema_set api_schemas_tokens = {schemas, ARRAY_LEN(schemas)};
