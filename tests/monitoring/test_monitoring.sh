#!/usr/bin/env bash
# What deploy/ has for Prometheus and Grafana, held against the metrics of a manager that has run a job: promtool likes rules,
# their tests and the metrics, and every metric that a rule or a panel names is served.
# shellcheck source=tests/support/cli.sh
. tests/support/cli.sh

test_rules() {
    status 0 promtool check rules deploy/prometheus/alerts.yaml
    status 0 promtool test rules deploy/prometheus/alerts_test.yaml
}

# Alerts without a test, or tests of no alert, would not be seen by promtool.
test_every_rule_has_a_test() {
    local alert
    while read -r alert; do
        [ "$(grep -c "alertname: $alert\b" deploy/prometheus/alerts_test.yaml)" -ge 2 ] || fail "$alert has no two tests"
    done < <(sed -n 's/^ *- alert: //p' deploy/prometheus/alerts.yaml)
}

# served FILE: every metric that the file names is in $work/metrics, with the labels that are asked for.
served() {
    local name
    while read -r name; do
        grep -q "^${name}[ {]" "$work/metrics" || fail "$1 names $name, which no manager serves"
    done < <(grep -oE '\bcurfew_[a-z0-9_]+' "$1" | sort -u)
    while IFS='{' read -r name label; do
        grep -qE "^${name}\{(.*,)?${label}=" "$work/metrics" || fail "$1 asks $name for $label, which it does not have"
    done < <(grep -oE '\bcurfew_[a-z0-9_]+\{[a-z_]+' "$1" | sort -u)
}

test_metrics_of_a_manager_that_ran_a_job() {
    CURFEW_SERVER=$("$curfew" up --dir "$work/stack")
    export CURFEW_SERVER
    status 0 "$curfew" submit --quiet docs/examples/squares/job.yaml
    curl --silent --show-error --fail "$CURFEW_SERVER/metrics" >"$work/metrics"
    status 0 promtool check metrics <"$work/metrics"
    grep -q '^curfew_http_request_seconds_bucket{method="POST",route="/v1/jobs",le="+Inf"} 1$' "$work/metrics" ||
        fail "the submit is not in the histogram"
    jq -r '.. | .expr? // empty' deploy/grafana/curfew.json >"$work/panels"
    [ "$(wc -l <"$work/panels")" -gt 20 ] || fail "the dashboard has no panels"
    sed -n 's/^ *expr: //p' deploy/prometheus/alerts.yaml >"$work/rules"
    served "$work/panels"
    served "$work/rules"
}

run_all
