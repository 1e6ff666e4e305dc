// The commands: each returns the exit status. See the table in commands.c.
#pragma once

struct cli;

int cmd_up(struct cli *cli);
int cmd_down(struct cli *cli);
int cmd_run(struct cli *cli);
int cmd_validate(struct cli *cli);
int cmd_submit(struct cli *cli);
int cmd_list(struct cli *cli);
int cmd_show(struct cli *cli);
int cmd_wait(struct cli *cli);
int cmd_logs(struct cli *cli);
int cmd_events(struct cli *cli);
int cmd_tasks(struct cli *cli);
int cmd_services(struct cli *cli);
int cmd_results(struct cli *cli);
int cmd_stop(struct cli *cli);
int cmd_pause(struct cli *cli);
int cmd_resume(struct cli *cli);
int cmd_retry(struct cli *cli);
int cmd_extend(struct cli *cli);
int cmd_delete(struct cli *cli);
int cmd_cleanup(struct cli *cli);
int cmd_why(struct cli *cli);
int cmd_workers(struct cli *cli);
int cmd_drain(struct cli *cli);
int cmd_doctor(struct cli *cli);
int cmd_leaks(struct cli *cli);
int cmd_token(struct cli *cli);
int cmd_token_list(struct cli *cli); // `token list`, which is one of the lists
