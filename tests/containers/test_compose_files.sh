#!/usr/bin/env bash
# compose.yaml, its profiles and compose.override.example.yaml as compose understands them: what starts, what it may do, what of it is
# reached from outside. Needs compose, but no engine.
# deadline: 180
set -euo pipefail
# shellcheck source=tests/support/cli.sh
source tests/support/cli.sh
cd "$(git rev-parse --show-toplevel 2>/dev/null || pwd)"

# config ARGUMENT...: what compose makes of the files is in $work/config.
config() {
    status 0 docker-compose "$@" config
    cp "$log" "$work/config"
}

# check PYTHON: an expression about `services`, the configuration's.
check() {
    /usr/bin/python3 - "$1" "$work/config" >"$log" 2>&1 <<'PYTHON' || fail "$1"
import sys, yaml

services = yaml.safe_load(open(sys.argv[2]))["services"]
ours = {name: service for name, service in services.items() if service["image"].startswith("curfew-")}

def ports(service):
    for port in service.get("ports", []):
        yield port if isinstance(port, str) else "{host_ip}:{published}:{target}".format(**port)

def volumes(service):
    for volume in service.get("volumes", []):
        yield volume if isinstance(volume, str) else volume["source"]

if not eval(sys.argv[1]):
    sys.exit(yaml.dump(services))
PYTHON
}

test_what_starts() {
    config -f compose.yaml
    check '{"postgres", "migrate", "jobmanager", "worker-1", "worker-2", "reaper"} <= set(services)'
    config -f compose.yaml --profile demo
    check '"demo" in services'
    config -f compose.yaml --profile docker
    check '{"worker-docker", "reaper-docker"} <= set(services)'
}

test_what_it_may_do() {
    config -f compose.yaml --profile docker --profile demo
    check 'all(service["read_only"] and service["cap_drop"] == ["ALL"] for service in ours.values())'
    check 'all(service["security_opt"] == ["no-new-privileges:true"] for service in ours.values())'
    check 'all("mem_limit" in service and "pids_limit" in service for service in services.values())'
    check 'not any(service.get("privileged") or service.get("cap_add") for service in services.values())'
    check '{name for name in services if any("docker.sock" in volume for volume in volumes(services[name]))} == {"reaper-docker", "worker-docker"}'
}

test_what_is_reached() {
    config -f compose.yaml --profile docker --profile demo
    check '[port for service in services.values() for port in ports(service)] in (["127.0.0.1:19001:19001/tcp"], ["127.0.0.1:19001:19001"])'
}

test_override_for_development() {
    config -f compose.yaml -f compose.override.example.yaml
    check 'services["jobmanager"]["environment"]["CURFEW_LOG_LEVEL"] == "debug"'
    check 'services["worker-1"]["environment"].keys() > services["worker-2"]["environment"].keys()'
    check 'all(port.startswith("127.0.0.1:") for service in services.values() for port in ports(service))'
}

run_all
