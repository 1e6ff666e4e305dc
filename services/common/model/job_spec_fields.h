// The tables of the job spec, and the functions behind their custom rows. Only job_spec*.c include this.
#pragma once

#include "services/common/model/job_spec.h"
#include "services/common/model/spec_table.h"

extern const struct spec_table job_table;        // struct job_spec, without the two forms of its stages
extern const struct spec_table service_table;    // struct service_spec
extern const struct spec_table stage_table;      // struct stage_spec
extern const struct spec_table stage_work_table; // what of a stage may stand at the top level of a job with one stage
extern const struct spec_table run_table;        // struct run_spec: what services and stages have in common
extern const struct spec_table restart_table;    // struct restart_policy
extern const struct spec_table autostop_table;   // struct autostop_spec, when it is written as an object
extern const char *const stage_mode_names[];
extern const char *const stage_failure_names[];

#define SPEC_MAIN_STAGE "main" // the name of the one stage of a job without `stages`

struct spec_lift;

// Readers (job_spec_read*.c): `at` is what the row's offset leads to.
void read_autostop(struct spec_reader *reader, const struct field *member, void *at);
void read_autostop_on(struct spec_reader *reader, const struct field *member, void *at);
void read_labels(struct spec_reader *reader, const struct field *member, void *at);
void read_env(struct spec_reader *reader, const struct field *member, void *at);
void read_secrets(struct spec_reader *reader, const struct field *member, void *at);
void read_command(struct spec_reader *reader, const struct field *member, void *at);
void read_cpus(struct spec_reader *reader, const struct field *member, void *at);
void read_names(struct spec_reader *reader, const struct field *member, void *at);
void read_signal(struct spec_reader *reader, const struct field *member, void *at);
void read_service_failure(struct spec_reader *reader, const struct field *member, void *at); // struct service_spec
void read_task_list(struct spec_reader *reader, const struct field *member, void *at);       // struct stage_spec
void read_from(struct spec_reader *reader, const struct field *member, void *at);            // struct stage_spec
void read_ready_tcp(struct spec_reader *reader, const struct field *member, void *at);       // struct ready_spec
void read_ready_http(struct spec_reader *reader, const struct field *member, void *at);      // the same
void read_ready_port(struct spec_reader *reader, const struct field *member, void *at);
void read_ready_exec(struct spec_reader *reader, const struct field *member, void *at);
void read_ready_log(struct spec_reader *reader, const struct field *member, void *at);

// Looking at the fields of one object together (job_spec_check*.c).
void finish_service(struct spec_reader *reader, const struct field *object, void *target);
void finish_stage(struct spec_reader *reader, const struct field *object, void *target);
void finish_stage_work(struct spec_reader *reader, const struct field *object, void *target);
void finish_ready(struct spec_reader *reader, const struct field *object, void *target);
// ... and at the whole job. `root` is the document, `stage_at_top` says that the stage's fields stand at its top level.
void check_job(const struct job_spec *spec, const struct field *root, bool stage_at_top);
// Everything that waits for something else comes to an end (job_spec_check_graph.c).
void check_graph(const struct job_spec *spec, const struct field *root, bool stage_at_top);

// Writers (job_spec_write.c).
void write_autostop(const void *at, struct strbuf *out);
void write_pairs(const void *at, struct strbuf *out);
void write_list(const void *at, struct strbuf *out);
void write_cpus(const void *at, struct strbuf *out);
void write_signal(const void *at, struct strbuf *out);
void write_service_failure(const void *at, struct strbuf *out);
void write_tasks(const void *at, struct strbuf *out);
void write_from(const void *at, struct strbuf *out);
void write_ready_tcp(const void *at, struct strbuf *out);
void write_ready_http(const void *at, struct strbuf *out);
void write_ready_port(const void *at, struct strbuf *out);
void write_ready_exec(const void *at, struct strbuf *out);
void write_ready_log(const void *at, struct strbuf *out);
void write_autostop_on(const void *at, struct strbuf *out);
bool ready_is_absent(const void *at);
bool resources_are_absent(const void *at);
