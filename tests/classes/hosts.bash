# tests/classes/hosts.bash - other machines that help, by the ssh log-ins of GNU parallel.
#
# HOSTS is a file with one log-in a line: [JOBS/][USER@]HOST[:PORT], or ":" for this machine.
# "#" begins a comment. What ssh needs to know besides belongs into ssh's own configuration;
# GRADE_SSH names another command than ssh. A log-in must work without a question.
#
# Each host gets a copy of what grades, compiled once for each version, in ~/.cache/forklab; and the
# submissions under numbers, without names, in a folder that is removed at the end.
#
# Wants WORK, RUN (the run's folder, a name without a slash), ROOT, PRINT (job's first line), tell.
# Rests on parallel(1) (--sshloginfile is read again when it changes), ssh(1), rsync(1).

# hosts_begin FILE: set HOSTS_ALL to its log-ins and prepare each. Writes WORK/logins with those
# that can be used, as parallel reads them. 1: none can. 2: a line is not understood.
hosts_begin() {
  local line jobs login port i
  HOSTS_ALL=() HOSTS_JOBS=() HOSTS_SSH=()
  while IFS= read -r line || [[ -n $line ]]; do
    line=${line%%#*}
    line=${line//[[:space:]]/}
    [[ -n $line ]] || continue
    if [[ ! $line =~ ^(([0-9]+)/)?(:|([A-Za-z0-9._-]+@)?[A-Za-z0-9][A-Za-z0-9._-]*(:([0-9]+))?)$ ]]; then
      tell "$1: not a log-in: $line (wanted: [JOBS/][USER@]HOST[:PORT], or :)"
      return 2
    fi
    jobs=${BASH_REMATCH[2]}
    login=${BASH_REMATCH[3]}
    port=${BASH_REMATCH[6]}
    [[ -z $port ]] || login=${login%:*}
    HOSTS_ALL+=("$login")
    HOSTS_JOBS+=("$jobs")
    HOSTS_SSH+=("${port:+-p $port}")
  done <"$1"
  # One connection for each host, which all that follows uses; a host that is gone is noticed
  # within some seconds. The sockets need a short path.
  SOCKETS=$(mktemp -d "${TMPDIR:-/tmp}/grade.XXXXXX")
  cat >"$SOCKETS/ssh" <<-END
	#!/bin/sh
	exec ${GRADE_SSH:-ssh} -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=3 \
	  -o ServerAliveCountMax=3 -o ControlMaster=auto -o ControlPersist=60 -o ControlPath=$SOCKETS/%C "\$@"
	END
  chmod +x "$SOCKETS/ssh"
  local pids=()
  for i in "${!HOSTS_ALL[@]}"; do
    host_prepare "$i" >"$WORK/host.$i" 2>"$WORK/host.$i.err" &
    pids+=($!)
  done
  : >"$WORK/logins"
  HOSTS_UP=()
  for i in "${!HOSTS_ALL[@]}"; do
    if wait "${pids[i]}"; then
      HOSTS_UP[i]=1
      [[ -n ${HOSTS_JOBS[i]} ]] || HOSTS_JOBS[i]=$(tail -n 1 "$WORK/host.$i")
    else
      tell "host ${HOSTS_ALL[i]} is left out: $(tail -n 1 "$WORK/host.$i.err")"
    fi
  done
  ((${#HOSTS_UP[@]} > 0)) || return 1
  hosts_write
}

# on_host I WORD...: run a command there.
on_host() {
  local i=$1
  shift
  # shellcheck disable=SC2086 # none or two words
  "$SOCKETS/ssh" ${HOSTS_SSH[i]} "${HOSTS_ALL[i]}" "$@"
}

# pack_grader: prints what a host needs as a tar: nothing else, for submissions and results may lie in the lab too.
pack_grader() {
  tar -C "$ROOT" -cf - Makefile diagrams/forkscope tests/grading tests/classes tests/lib
}

# host_prepare I: the lab is there, compiled; the run's folder and its job are there. Prints, last,
# how many processors it has.
host_prepare() {
  local i=$1 place=.cache/forklab/$PRINT
  if [[ ${HOSTS_ALL[i]} == : ]]; then
    nproc
    return
  fi
  if ! on_host "$i" "test -e $place/ready"; then
    # Into a folder of its own first: two classes may be graded from two machines.
    pack_grader |
      on_host "$i" "set -e; umask 077; mkdir -p .cache/forklab; new=\$(mktemp -d $place.XXXXXX)
        cd \$new; tar -xf -; tests/lib/need.sh class >&2; make --silent grader >&2; touch ready
        cd; mv -T \$new $place 2>/dev/null || { test -e $place/ready && rm -rf \$new; }"
  fi
  job_script "\$HOME/$place" "\$HOME/$place/build" |
    on_host "$i" "umask 077; mkdir -p $RUN && cat >$RUN/job && chmod +x $RUN/job && nproc"
}

# hosts_write: the log-ins that can be used, for parallel.
hosts_write() {
  local i
  for i in "${!HOSTS_UP[@]}"; do
    if [[ ${HOSTS_ALL[i]} == : ]]; then
      printf '%s/:\n' "${HOSTS_JOBS[i]}"
    else
      printf '%s/%s %s %s\n' "${HOSTS_JOBS[i]}" "$SOCKETS/ssh" "${HOSTS_SSH[i]}" "${HOSTS_ALL[i]}"
    fi
  done | sed 's/  */ /g' | put "$WORK/logins"
}

# hosts_check: ask each host whether it is there, in the background; a host that does not answer is left out
# from the next call on.
hosts_check() {
  local i changed=0
  for i in "${!HOSTS_UP[@]}"; do
    if [[ -e $WORK/host.$i.gone ]]; then
      rm "$WORK/host.$i.gone"
      unset "HOSTS_UP[$i]"
      changed=1
      tell "host ${HOSTS_ALL[i]} does not answer any more: its work goes to the others"
    elif [[ ${HOSTS_ALL[i]} != : && ! -e $WORK/host.$i.asking ]]; then
      : >"$WORK/host.$i.asking"
      {
        on_host "$i" "test -d $RUN" </dev/null >/dev/null 2>&1 || : >"$WORK/host.$i.gone"
        rm -f "$WORK/host.$i.asking"
      } &
    fi
  done
  ((changed == 0)) || hosts_write
  ((${#HOSTS_UP[@]} > 0))
}

# hosts_end: take our folder away from each host that is there, and end the connections.
hosts_end() {
  local i
  [[ -n ${SOCKETS-} ]] || return 0
  for i in "${!HOSTS_ALL[@]}"; do
    [[ ${HOSTS_ALL[i]} != : ]] || continue
    [[ -z ${HOSTS_UP[i]-} ]] || on_host "$i" "rm -rf $RUN" </dev/null >/dev/null 2>&1 || true
    # shellcheck disable=SC2086 # none or two words
    "$SOCKETS/ssh" ${HOSTS_SSH[i]} -O exit "${HOSTS_ALL[i]}" </dev/null >/dev/null 2>&1 || true
  done
  rm -rf "$SOCKETS"
}
