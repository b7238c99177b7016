#!/usr/bin/env bash
# Brings the servers, tools and the browser that tests talk to, where apt-get is there and we are root; else tests that lack
# theirs are skipped and say so.
set -u
missing=()
command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || missing+=(mosquitto)
command -v mosquitto_pub >/dev/null || missing+=(mosquitto-clients)
command -v influxd >/dev/null || missing+=(influxdb)
command -v victoria-metrics >/dev/null || missing+=(victoria-metrics)
command -v mbpoll >/dev/null || missing+=(mbpoll)
ldconfig -p 2>/dev/null | grep -q "libmodbus\.so" || missing+=(libmodbus5)
command -v chromium >/dev/null || missing+=(chromium)
fc-list 2>/dev/null | grep -qi "noto.*cjk" || missing+=(fonts-noto-cjk fontconfig)
[ ${#missing[@]} -eq 0 ] && exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "tests: ${missing[*]} missing and not installed (no apt-get, or not root); what needs them is skipped" >&2
  exit 0
fi
echo "tests: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# a service that a package starts would sit on the ports that tests leave alone
policy=/usr/sbin/policy-rc.d
made=
[ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && made=1; }
log=$(mktemp)
(apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}") >"$log" 2>&1 ||
  { tail -n 5 "$log" >&2; echo "tests: some of ${missing[*]} could not be installed" >&2; }
rm -f "$log"
[ -n "$made" ] && rm -f $policy
exit 0
