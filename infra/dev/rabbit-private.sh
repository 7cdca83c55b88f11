#!/usr/bin/env bash
# Private RabbitMQ node on loopback: own mnesia dir, own epmd, own cookie, own ports. No Docker, no service, any user.
#   rabbit-private.sh start DIR AMQP_PORT   (uses AMQP_PORT, +1 = distribution, +2 = epmd, +3 = management if RMQ_MGMT=1)
#   rabbit-private.sh stop DIR | destroy DIR
set -euo pipefail
BIN=/usr/lib/rabbitmq/bin
cmd=$1; dir=$(realpath -m "$2"); port=${3:-}
mkenv() { # environment of this node only
  ENV=(PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME="$dir"
  RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_NODENAME="llmops$port@localhost"
  RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$port" RABBITMQ_DIST_PORT=$((port+1))
  ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$((port+2))
  RABBITMQ_MNESIA_BASE="$dir/mnesia" RABBITMQ_LOG_BASE="$dir/log" RABBITMQ_SCHEMA_DIR="$dir/schema"
  RABBITMQ_GENERATED_CONFIG_DIR="$dir/gen" RABBITMQ_CONFIG_FILE="$dir/rabbitmq.conf" RABBITMQ_ADVANCED_CONFIG_FILE="$dir/advanced.config"
  RABBITMQ_ENABLED_PLUGINS_FILE="$dir/enabled_plugins" RABBITMQ_PID_FILE="$dir/beam.pid"
  RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +S ${RMQ_SCHEDULERS:-2}:${RMQ_SCHEDULERS:-2} +sbwt none +sbwtdcpu none +sbwtdio none"
  RABBITMQ_ALLOW_INPUT=1); }
case $cmd in
start)
  mkdir -p "$dir"/{mnesia,log,schema,gen}; rm -f "$dir"/log/*; echo "$port" > "$dir/port"; mkenv
  if [ "${RMQ_MGMT:-0}" = 1 ]; then echo '[rabbitmq_management].' ; else echo '[].'; fi > "$dir/enabled_plugins"
  cat > "$dir/rabbitmq.conf" <<CONF
loopback_users = none
default_user = ${RMQ_USER:-llmops}
default_pass = ${RMQ_PASSWORD:-llmops}
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 100MB
log.console = false
log.file.level = info
num_acceptors.tcp = 4
management.tcp.ip = 127.0.0.1
management.tcp.port = $((port+3))
CONF
  [ "${RMQ_MGMT:-0}" = 1 ] || sed -i '/^management/d' "$dir/rabbitmq.conf"
  # epmd in the foreground under our own pid, so that it can be ended by id (erl would otherwise daemonise one that stays)
  env -i "${ENV[@]}" epmd -port $((port+2)) -address 127.0.0.1 >"$dir/epmd.log" 2>&1 </dev/null & echo $! > "$dir/epmd.pid"
  for _ in $(seq 50); do env -i "${ENV[@]}" epmd -port $((port+2)) -names >/dev/null 2>&1 && break; sleep 0.05; done
  # RABBITMQ_ALLOW_INPUT=1 makes the script exec the VM: $! is beam itself; SIGTERM to it = graceful shutdown
  env -i "${ENV[@]}" setsid "$BIN/rabbitmq-server" -noinput >"$dir/out.log" 2>&1 </dev/null & echo $! > "$dir/server.pid"
  for _ in $(seq 300); do
    kill -0 "$(cat "$dir/server.pid")" 2>/dev/null || { echo "rabbit died:" >&2; tail -40 "$dir/out.log" "$dir"/log/* >&2; exit 1; }
    if grep -qs 'Server startup complete' "$dir"/log/*.log; then echo "amqp://${RMQ_USER:-llmops}:${RMQ_PASSWORD:-llmops}@127.0.0.1:$port/"; exit 0; fi
    sleep 0.1
  done
  echo "rabbit not ready in 30 s" >&2; exit 1;;
stop|destroy)
  port=$(cat "$dir/port")
  for f in server epmd; do p=$(cat "$dir/$f.pid" 2>/dev/null || true); [ -n "$p" ] || continue
    kill -TERM "$p" 2>/dev/null || true
    for _ in $(seq 150); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
    kill -0 "$p" 2>/dev/null && kill -KILL "$p"; rm -f "$dir/$f.pid"
  done
  [ "$cmd" = destroy ] && rm -rf -- "$dir"; true;;
ctl) port=$(cat "$dir/port"); shift 2; mkenv; env -i "${ENV[@]}" "$BIN/rabbitmqctl" "$@";;
*) echo "usage: $0 start|stop|destroy|ctl DIR [PORT]" >&2; exit 2;;
esac
