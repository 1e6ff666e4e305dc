#include "services/common/base/wrap.h"

#include <string.h>

void wrap_print(FILE *out, const char *text, int indent, int column)
{
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (column > indent && column + 1 + length > WRAP_WIDTH) {
            fprintf(out, "\n");
            column = 0;
        } else if (column > indent) {
            column += fprintf(out, " ");
        }
        column += fprintf(out, "%*s%.*s", column < indent ? indent - column : 0, "", length, text);
        text += length + (text[length] == ' ');
    }
    fprintf(out, "\n");
}
