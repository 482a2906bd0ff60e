# Shortcuts for the usual tasks; `just` alone lists them. A file .env may change the ports.

set dotenv-load
set shell := ["bash", "-euo", "pipefail", "-c"]

gateway := "http://127.0.0.1:" + env("GATEWAY_PORT", "8080")
jaeger := "http://127.0.0.1:" + env("JAEGER_PORT", "16686")
curl := "curl --silent --show-error --fail-with-body --header 'content-type: application/json'"

# Ids and PINs of the demo study (migrations/src/demo.rs).
study := "5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e00"
site := "5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e01"
diary := "a551a9e0-1d1a-4f00-8000-000000000001"

[private]
default:
    @just --list --unsorted

# Builds and starts the whole stack; returns when everything is ready.
up:
    docker compose up --build --wait

# Like `up`, with tail sampling in a collector before Jaeger; `just up-sampling scaled` runs two collectors.
up-sampling SCALED="":
    docker compose -f docker-compose.yml -f deploy/compose.sampling.yml \
        {{ if SCALED == "" { "" } else { "-f deploy/compose.sampling-" + SCALED + ".yml" } }} up --build --wait

# Like `up`, with a slow load of patients and nurses, some of whose requests fail: something to look at in Jaeger.
load:
    docker compose --profile load up --build --wait

# Stops the stack with everything that was added to it; `just down --volumes` also deletes its data.
down *ARGS:
    docker compose --profile load down --remove-orphans {{ ARGS }}

# Prints an access token.
login LOGIN="patient-1" PIN="246801":
    @{{ curl }} {{ gateway }}/v1/sessions --data '{"login": "{{ LOGIN }}", "pin": "{{ PIN }}"}' | jq -r '.access_token // halt_error'

# Submits a diary as patient-1 and prints the answer with its trace.
submit PAIN="3":
    @token=$(just login) && {{ curl }} {{ gateway }}/v1/reports --header "authorization: Bearer $token" \
        --header 'idempotency-key: {{ uuid() }}' \
        --data '{"assignment_id": "{{ diary }}", "captured_at": "{{ datetime('%Y-%m-%dT%H:%M:%S%:z') }}", \
                 "answers": {"pain": {{ PAIN }}, "rescue": false}, "attested": true}' | jq .

# Prints the reports that wait for a nurse's review.
pending SITE=site:
    @token=$(just login nurse-berlin-1 735201) && {{ curl }} '{{ gateway }}/v1/sites/{{ SITE }}/reports?review=pending' \
        --header "authorization: Bearer $token" | jq .

# Reviews a report as a nurse: approved, has_issues or rejected.
review ID OUTCOME="approved":
    @token=$(just login nurse-berlin-1 735201) && {{ curl }} {{ gateway }}/v1/reports/{{ ID }}/reviews \
        --header "authorization: Bearer $token" --header "idempotency-key: {{ uuid() }}" \
        --data '{"outcome": "{{ OUTCOME }}"}' | jq .

# Prints a report of patient-1.
report ID:
    @token=$(just login) && {{ curl }} {{ gateway }}/v1/reports/{{ ID }} --header "authorization: Bearer $token" | jq .

# Prints the demo study as one of its nurses sees it.
study ID=study:
    @token=$(just login nurse-berlin-1 735201) && \
        {{ curl }} {{ gateway }}/v1/studies/{{ ID }} --header "authorization: Bearer $token" | jq .

# Prints a trace as a tree, with the link to its page, once no more spans arrive.
trace ID:
    cargo xtask trace --jaeger {{ jaeger }} {{ ID }}

# Explains what went wrong in a trace, and where: `just explain ID`.
explain *ARGS:
    cargo xtask explain --jaeger {{ jaeger }} {{ ARGS }}

# Makes a failure on purpose and shows its trace and what the trace says: `just scenario slow-login-check`.
scenario *NAME:
    cargo xtask scenario {{ NAME }}

# Runs every scenario and prints a table of what the traces say.
scenarios:
    cargo xtask scenario --all

# Checks that every trace of the last hour is complete: `just verify-traces --since 15m`.
verify-traces *ARGS:
    cargo xtask verify-traces --jaeger {{ jaeger }} --expect e2e/traces.expect {{ ARGS }}

# Prints all log lines of a trace, of all services, oldest first.
logs ID:
    @docker compose logs --no-log-prefix --no-color | grep -F {{ ID }} | sed $'s/^\e\\[2K//' | \
        jq -cRs '[split("\n")[] | fromjson?] | sort_by(.timestamp)[]'

# Submits one report through five native processes, without Docker, and prints its trace.
demo *ARGS:
    cargo xtask demo {{ ARGS }}

# Runs every test. Uses an installed Postgres, or downloads one.
test *ARGS:
    cargo xtask test {{ ARGS }}

# Runs three copies of each service in containers, and replaces all of them under load.
copies *ARGS:
    cargo xtask copies {{ ARGS }}

# Kills and partitions services and Postgres under load: `just chaos --faults 200 --seed 1`.
chaos *ARGS:
    cargo xtask chaos {{ ARGS }}

# Measures the cost and the speed of a submission in a release build: `just bench --quick`.
bench *ARGS:
    cargo xtask bench {{ ARGS }}

# Measures what each sampler keeps, finds and costs: `just sampling-lab --quick`.
sampling-lab *ARGS:
    cargo xtask sampling-lab {{ ARGS }}

# Tests a running stack with Schemathesis against its OpenAPI document; needs Python.
fuzz-api *ARGS:
    cargo xtask fuzz-api {{ ARGS }}

# Checks every kind of FHIR resource in the answers with HL7's validator (needs Java and Maven).
fhir-validate:
    cargo xtask fhir-validate

# Tests the containers from build to exit code, in a compose project of their own; `--keep` leaves it running.
e2e-compose *ARGS:
    cargo xtask e2e-compose {{ ARGS }}

# Runs the checks that can fail the build: format, clippy and the architecture rules.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo xtask architecture

fmt:
    cargo fmt --all

# Creates the next numbered migration of a schema: `just migration add_review clinical`.
migration NAME SCHEMA="clinical":
    #!/usr/bin/env sh
    set -eu
    cd migrations/{{ SCHEMA }}
    last=$(ls [0-9]*.sql | sort | tail -1 | cut -d_ -f1)
    file=$(printf '%04d_%s.sql' $(( $(echo "$last" | sed 's/^0*//') + 1 )) '{{ NAME }}')
    echo '-- Forward only: no release may break while the one before it still runs.' >"$file"
    echo "migrations/{{ SCHEMA }}/$file"
