// How the texts of a spec have to be written: names, environment variables, images, labels, patterns.
//
// Each function returns NULL when the text is fine, otherwise what is wrong with it (lower case, a literal). Pure;
// thread-safe.
#pragma once

#define SPEC_PATTERN_BYTES_MAX 256

const char *spec_name_problem(const char *text);        // [a-z][a-z0-9-]{0,62}
const char *spec_variable_problem(const char *text);    // [A-Za-z_][A-Za-z0-9_]*, not CURFEW_...
const char *spec_label_problem(const char *text);       // a label's name: letters, digits, '.', '_', '/', '-'
const char *spec_label_value_problem(const char *text); // no control characters
const char *spec_image_problem(const char *text);       // [host[:port]/]path[:tag][@sha256:digest]
const char *spec_bundle_problem(const char *text);      // sha256: and 64 lower-case hex digits
const char *spec_http_path_problem(const char *text);   // from '/', visible ASCII, no fragment
// A POSIX extended regular expression that compiles, without what makes matching or compiling expensive:
// back-references and big repetitions.
const char *spec_pattern_problem(const char *text);
