#!/usr/bin/env bash
# Tokens on the command line: made, used, listed, revoked, and what is said when one is missing or of the wrong role.
set -euo pipefail
# shellcheck source=tests/support/cli.sh
source tests/support/cli.sh

stack=$work/stack
"$curfew" up --dir "$stack" >"$log" || fail 'no stack'
through_contract "$(cat "$log")"
unset CURFEW_TOKEN_FILE

# made FILE ARGUMENT...: the token that `token create` prints, in a file.
made() {
    local file=$work/$1
    shift
    "$curfew" token create "$@" >"$file" 2>"$log" || fail 'no token'
    says 'shown this once'
    [[ "$(cat "$file")" =~ ^curfew_[0-9a-z]{52}$ ]] || fail 'not a token'
}

test_1_the_first_is_an_admins() {
    status 0 "$curfew" token list
    [ "$(wc -l <"$log")" -eq 1 ] || fail 'there is a token'
    status 7 "$curfew" token create --name alice --role submitter
    says 'no token of role admin yet'
    made admin --name boss --role admin
    status 7 "$curfew" list
    says 'no token was sent' '--token-file or CURFEW_TOKEN_FILE'
    status 7 "$curfew" submit --detach docs/examples/squares/job.yaml
    says '--token-file or CURFEW_TOKEN_FILE'
}

test_2_roles() {
    export CURFEW_TOKEN_FILE=$work/admin
    made viewer --name dash --role viewer --expires-in 1h
    made worker --name fleet --role worker
    status 0 "$curfew" token list
    says 'TOKEN' 'dash   viewer  valid' 'boss' 'MAX JOBS  TASKS  SERVICES  LOG BYTES'
    status 0 "$curfew" token list -o json
    jq -es 'length == 3 and all(.[]; .token == null) and ([.[] | select(.expires_at)] | length) == 1' "$log" >/dev/null || fail 'not the list'
    status 0 "$curfew" --token-file "$work/viewer" list
    status 7 "$curfew" --token-file "$work/viewer" stop j0000000000001
    says "needs a token of role submitter or admin, and token 'dash' is of role viewer"
    status 7 "$curfew" --token-file "$work/worker" list
    says "viewer, submitter or admin, and token 'fleet' is of role worker"
    status 7 "$curfew" --token-file "$work/viewer" token list
}

test_3_revoked() {
    export CURFEW_TOKEN_FILE=$work/admin
    local id
    id=$("$curfew" token list -o json | jq -r 'select(.name == "dash").id')
    status 0 "$curfew" token revoke --id "$id"
    says "$id is revoked"
    status 7 "$curfew" --token-file "$work/viewer" list
    says 'this token was revoked'
    status 0 "$curfew" token revoke --id "$id" -o json
    jq -e '.state == "revoked" and .revoked_by == "boss"' "$log" >/dev/null || fail 'not revoked'
    echo nonsense >"$work/nonsense"
    status 7 "$curfew" --token-file "$work/nonsense" list
    says 'this token is not known'
}

test_3_from_a_command() {
    unset CURFEW_TOKEN_FILE
    status 0 "$curfew" --token-command "cat $work/admin" token list
    CURFEW_TOKEN_COMMAND="cat $work/admin" status 0 "$curfew" token list
    CURFEW_TOKEN_COMMAND=false CURFEW_TOKEN_FILE=$work/admin status 0 "$curfew" token list
    status 2 "$curfew" --token-command false list
    says "the token command 'false' has failed"
    status 2 "$curfew" --token-command true --token-file "$work/admin" list
    says 'give one'
}

test_4_wrong_arguments() {
    export CURFEW_TOKEN_FILE=$work/admin
    status 2 "$curfew" token
    status 2 "$curfew" token dance
    says 'create, list and revoke'
    status 2 "$curfew" token create --name a
    status 2 "$curfew" token create --name a --role viewer --expires-in soon
    status 2 "$curfew" token create --name 'a b' --role viewer
    says '/name'
    status 2 "$curfew" token create --name a --role king
    says '/role'
    status 2 "$curfew" token revoke
    status 7 "$curfew" token revoke --id t0000000000001
    status 7 "$curfew" token revoke --id jobs
    says 'does not exist'
    status 2 "$curfew" token revoke --id ../jobs
}

run_all
