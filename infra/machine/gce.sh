# On Compute Engine: the metadata server says who the machine is, and gives it tokens of its service account, for an hour
# at a time. They go to curl on its standard input, and into no argument.
at=http://${GCE_METADATA_HOST:-metadata.google.internal}/computeMetadata/v1

ask() { # PATH
  curl -fsS --noproxy '*' --max-time 5 --retry 3 --retry-connrefused -H 'Metadata-Flavor: Google' "$at/$1"
}

token() { # of the machine's service account
  ask instance/service-accounts/default/token | sed -n 's/.*"access_token" *: *"\([^"]*\)".*/\1/p' | grep .
}

signed() { # CURL-ARGUMENT…: a request in the name of the machine's service account
  local said
  said=$(token) || return
  echo "header = \"Authorization: Bearer $said\"" | curl -fsS --max-time 60 -K - "$@"
}

identify() {
  instance=$(ask instance/id)
  account=$(ask project/project-id)
  [ -n "$instance" ] && [ -n "$account" ] || fail "the metadata server of its machine does not answer"
  for pause in 2 5 10 0; do # the service account of a new machine may take a moment
    token >/dev/null 2>&1 && return
    sleep "$pause"
  done
  fail "its machine has no service account: is there the one that it was to have? (docs/gce.md)"
}

log_in() { # to a registry of Google, as the machine's service account; others are asked as nobody
  local registry=${IMAGE%%/*}
  case $registry in *-docker.pkg.dev | gcr.io | *.gcr.io) ;; *) return 0 ;; esac
  export DOCKER_CONFIG="$work/docker"
  token | timeout 60 docker login --username oauth2accesstoken --password-stdin "https://$registry" >/dev/null 2>&1 ||
    fail "the registry $registry does not let the machine's service account in"
}

keep() { # FILE: put it where the log of this machine is read
  local url=$LOG_URL
  [ -z "${STORAGE_EMULATOR_HOST:-}" ] || url=$STORAGE_EMULATOR_HOST/${url#https://*/}
  signed -X POST --data-binary "@$1" -H 'Content-Type: text/plain; charset=utf-8' "$url" >/dev/null
}

remove() { # ask for this machine's end: one that only shuts down keeps its disk, and its disk is paid for
  local zone compute=${CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE:-https://compute.googleapis.com/compute/v1/}
  zone=$(ask instance/zone) || return
  signed -X DELETE "${compute}projects/$(ask project/project-id)/zones/${zone##*/}/instances/$(ask instance/name)" >/dev/null
}
export at
export -f ask token signed remove
