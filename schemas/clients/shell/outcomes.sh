#!/usr/bin/env bash
# What is said of requests, a line each, from the headers alone (CloudEvents): no Avro is decoded.
#   ./outcomes.sh BOOTSTRAP [TOPIC]            every committed outcome that is there
#   FOLLOW=1 ./outcomes.sh BOOTSTRAP [TOPIC]   and those that come, until Ctrl-C
set -euo pipefail
bootstrap=${1:?which Kafka, as 127.0.0.1:9092}
topic=${2:-dsr.outcomes}
until_the_end=-e
[ -n "${FOLLOW:-}" ] && until_the_end=-u
exec kcat -C -q -b "$bootstrap" -t "$topic" -X isolation.level=read_committed -o beginning "$until_the_end" -f '%k %h\n'
