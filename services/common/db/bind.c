#include "services/common/db/bind.h"

#include "services/common/db/type.h"

static unsigned type_of(const struct param *param)
{
    return type_of_param(param->type, param->array);
}

int bind_params(const struct params *params, struct bound *out, struct err *err)
{
    out->count = 0;
    if (!params)
        return 0;
    if (params_ok(params, err) < 0)
        return -1;
    const char *base = strbuf_text(&params->bytes); // never NULL, so that an empty text is not a null
    for (int i = 0; i < params->count; i++) {
        const struct param *param = &params->values[i];
        out->values[i] = param->type == PARAM_NULL ? NULL : base + param->offset;
        out->lengths[i] = param->length;
        out->formats[i] = param->type == PARAM_LITERAL ? 0 : 1;
        out->types[i] = type_of(param);
    }
    out->count = params->count;
    return 0;
}

static bool fits(const struct param *param, unsigned expected)
{
    unsigned type = type_of(param);
    if (type == 0 || type == expected)
        return true;
    return type == TYPE_TEXT && expected != TYPE_JSONB && type_is_text(expected);
}

int bind_check(const struct params *params, const struct signature *signature, struct err *err)
{
    int count = params ? params->count : 0;
    if (count != signature->count)
        return err_set(err, ERR_INTERNAL, "takes %d parameters, %d are given", signature->count, count);
    for (int i = 0; i < count; i++) {
        char expected[TYPE_NAME_SIZE], given[TYPE_NAME_SIZE];
        if (!fits(&params->values[i], signature->types[i]))
            return err_set(err, ERR_INTERNAL, "parameter %d is %s, %s is given", i + 1,
                           type_name(signature->types[i], expected), type_name(type_of(&params->values[i]), given));
    }
    return 0;
}
