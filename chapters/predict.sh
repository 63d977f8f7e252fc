#!/usr/bin/env bash
# Predict, then measure: chapters/predict.sh NN (called by make predict-NN)
#
# Asks the questions of chapters/NN-slug/predict, on a terminal or from a pipe, one answer a
# line. Then the chapter's server runs under forkscope, and each answer is compared with
# what was measured in that run. Exit status: 0 when all are right, 1 otherwise.
#
# The file: questions with a blank line between two of them, each of these fields:
#   ask      the question
#   choose   (optional) the possible answers, words
#   from     (optional) the scenario to measure in, a play below; else the chapter's own
#   measure  the answer: a jq filter over the records of that run, see `words` below
#   read     the heading of the chapter's README that explains it
# and scenarios of its own, each a line "play NAME" with the scenario under it. No answer stands
# there, nor anywhere else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

number=${1:?usage: chapters/predict.sh NN}
build=${FORKLAB_BUILD:-build}
file=$(compgen -G "chapters/$number-*/predict" | head -n 1 || true)
if [[ -z $file ]]; then
  printf 'chapter %s has no questions to predict\n' "$number" >&2
  exit 1
fi
folder=${file%/predict}
chapter=${folder#chapters/}

bold='' good='' bad='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\033[1m' good=$'\033[32m' bad=$'\033[31m' plain=$'\033[0m'
fi

# What a `measure` line is made of, besides jq itself. It begins at all records of a run.
# shellcheck disable=SC2016 # jq's variables, not the shell's
words='
  def at($moment): [.[] | select(.moment? == $moment)][0]
    // error("the scenario has no moment " + $moment);
  def process($name): [.processes[] | select(.name == $name)][0];
  def listening: [.objects[] | select(.kind == "listening")][0];
  def connection($client): [.objects[] | select(.kind == "connection" and .client == $client)][0];
  def client($name): [.clients[] | select(.name == $name)][0];
  def descriptor($process; object): object.name as $name
    | [process($process).descriptors[] | select(.object == $name)][0].fd;
  def zombies: [.processes[] | select(.state == "zombie")] | length;
  def alive: [.processes[] | select(.state | IN("zombie", "reaped", "ended") | not)];
  def call: .doing | sub("[(].*"; "");
  def yes_or_no: if . then "yes" else "no" end;'

# ---- the file ----

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
asks=() chooses=() froms=() measures=() reads=()
play=''
count=0 inside=false
while IFS= read -r line || [[ -n $line ]]; do
  if [[ $line == '#'* ]]; then
    continue
  elif [[ -z $line ]]; then
    inside=false play=''
    continue
  elif [[ -n $play ]]; then
    printf '%s\n' "$line" >>"$work/$play.scenario"
    continue
  fi
  read -r word text <<<"$line"
  if [[ $word == play ]]; then
    play=$text
    printf 'title %s\n' "$chapter" >"$work/$play.scenario"
    continue
  fi
  if ! $inside; then
    inside=true count=$((count + 1))
    chooses[count]='' froms[count]=''
  fi
  case $word in
    ask) asks[count]=$text ;;
    choose) chooses[count]=$text ;;
    from) froms[count]=$text ;;
    measure) measures[count]=$text ;;
    read) reads[count]=$text ;;
    *)
      printf '%s: there is no field %s\n' "$file" "$word" >&2
      exit 1
      ;;
  esac
done <"$file"

# ---- the answers ----

# What a person types and what jq prints, made comparable: 'Established ' and ESTABLISHED.
plain_word() {
  local word=${1,,}
  word=${word//[[:space:]]/}
  word=${word%%(*}
  # 02 is 2; a word is itself.
  [[ $word =~ ^0+([0-9]+)$ ]] && word=${BASH_REMATCH[1]}
  printf '%s' "$word"
}

# understood GIVEN CHOOSE: the word of CHOOSE that was meant: a beginning of it is enough. Where
# there is nothing to choose from a number may be a word: None. is 0, and Two is 2.
understood() {
  local given choice found='' i
  local numbers=(none one two three four five six seven eight nine ten eleven twelve)
  given=$(plain_word "$1")
  if [[ -z $2 ]]; then
    given=${given%.}
    for i in "${!numbers[@]}"; do
      [[ $given != "${numbers[i]}" ]] || given=$i
    done
  fi
  for choice in $2; do
    choice=$(plain_word "$choice")
    if [[ -n $given && ($choice == "$given"* || $given == "$choice"*) ]]; then
      # The beginning of two of them is none of them.
      [[ -z $found ]] || return 0
      found=$choice
    fi
  done
  if [[ -z $2 ]]; then
    printf '%s' "$given"
  else
    printf '%s' "$found"
  fi
}

printf '%s%s: predict before you run%s (Enter alone: no idea)\n' "$bold" "$chapter" "$plain"
givens=()
for ((i = 1; i <= count; i++)); do
  printf '\n%d. %s\n' "$i" "${asks[i]}${chooses[i]:+ (${chooses[i]// /, })}" | fold -s -w 78 | sed 's/ *$//'
  given=''
  while true; do
    [[ ! -t 0 ]] || printf '> '
    # The end of the input answers nothing, to this and all that follow.
    IFS= read -r given || true
    # On a terminal what is none of the choices was mistyped; ask again.
    [[ -t 0 && -n $given && -n ${chooses[i]} && -z $(understood "$given" "${chooses[i]}") ]] || break
    printf 'one of: %s\n' "${chooses[i]// /, }"
  done
  # A pipe shows what it was given, so that its text can be read alone.
  [[ -t 0 ]] || printf '> %s\n' "$given"
  givens[i]=$given
done

# ---- the run ----

printf '\nmeasuring...\n'
ln -s "$PWD/diagrams/$chapter/scenario" "$work/.scenario"
for scenario in "$work"/*.scenario "$work/.scenario"; do
  [[ -e $scenario ]] || continue
  if ! "$build/forkscope" run -s "$scenario" -o "${scenario%scenario}json" -- \
    "$build/chapters/$chapter/server" 9000 2>"$work/said"; then
    # What the server itself says on stderr is no failure of ours; forkscope's last line is.
    printf 'could not measure: %s\n' "$(tail -n 1 "$work/said")" >&2
    exit 1
  fi
done

right=0
for ((i = 1; i <= count; i++)); do
  if ! measured=$(jq -rs "$words ${measures[i]}" "$work/${froms[i]}.json" 2>"$work/said"); then
    printf 'could not measure question %d: %s\n' "$i" "$(tail -n 1 "$work/said")" >&2
    exit 1
  fi
  if [[ $(understood "${givens[i]}" "${chooses[i]}") == "$(plain_word "$measured")" ]]; then
    right=$((right + 1))
    printf '%d. %sright%s: %s\n' "$i" "$good" "$plain" "$measured"
  else
    printf '%d. %swrong%s: measured %s, you said %s\n   read %s/README.md, "%s"\n' \
      "$i" "$bad" "$plain" "$measured" "${givens[i]:-nothing}" "$folder" "${reads[i]}"
  fi
done
printf '%d of %d right\n' "$right" "$count"
((right == count))
