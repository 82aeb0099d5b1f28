# On EC2: the machine's metadata service says who it is and gives it the keys of its role, for some hours at a time.
# They go to curl on its standard input, and into no argument.
at=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}
at=${at%/}

ask() { # PATH
  local token
  token=$(curl -fsS --noproxy '*' --max-time 5 --retry 3 --retry-connrefused -X PUT \
    -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$at/latest/api/token") || return
  echo "header = \"X-aws-ec2-metadata-token: $token\"" |
    curl -fsS --noproxy '*' --max-time 5 --retry 3 -K - "$at/latest/$1"
}

field() { # NAME: one text of a JSON object on the standard input
  sed -n "s/.*\"$1\" *: *\"\([^\"]*\)\".*/\1/p" | head -n 1
}

signed() { # SERVICE REGION CURL-ARGUMENT…: a request in the name of the machine's role
  local service=$1 region=$2 role keys
  shift 2
  role=$(ask meta-data/iam/security-credentials/) || return
  keys=$(ask "meta-data/iam/security-credentials/$role") || return
  {
    echo "user = \"$(echo "$keys" | field AccessKeyId):$(echo "$keys" | field SecretAccessKey)\""
    echo "header = \"X-Amz-Security-Token: $(echo "$keys" | field Token)\""
  } | curl -fsS --max-time 60 --aws-sigv4 "aws:amz:$region:$service" -K - "$@"
}

identify() {
  local document role
  document=$(ask dynamic/instance-identity/document)
  instance=$(echo "$document" | field instanceId)
  account=$(echo "$document" | field accountId)
  [ -n "$instance" ] || fail "the metadata service of its machine does not answer"
  for pause in 2 5 10 0; do # the role of a new machine may take a moment
    role=$(ask meta-data/iam/security-credentials/ 2>/dev/null) && [ -n "$role" ] && return
    sleep "$pause"
  done
  fail "its machine has no role: has the instance profile one? (docs/ec2.md)"
}

log_in() { # to a registry of AWS, as the machine's role; others are asked as nobody
  local registry=${IMAGE%%/*} region answer
  [[ $registry == *.dkr.ecr.*.amazonaws.com* ]] || return 0
  region=$(echo "$registry" | cut -d . -f 4)
  answer=$(signed ecr "$region" -X POST -H 'Content-Type: application/x-amz-json-1.1' --data '{}' \
    -H 'X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken' \
    "${AWS_ENDPOINT_URL_ECR:-https://api.ecr.$region.amazonaws.com}/" 2>&1) ||
    fail "the registry $registry does not let the machine's role in: $(echo "$answer" | tail -n 1)"
  export DOCKER_CONFIG="$work/docker"
  echo "$answer" | field authorizationToken | base64 -d | cut -d : -f 2- |
    timeout 60 docker login --username AWS --password-stdin "$registry" >/dev/null 2>&1 ||
    fail "the registry $registry does not answer"
}

keep() { # FILE: put it where the log of this machine is read
  signed s3 "$REGION" --upload-file "$1" -H 'Content-Type: text/plain; charset=utf-8' "$LOG_URL" >/dev/null
}

remove() { # a machine of EC2 that shuts down is removed
  :
}
export -f remove
