# tests/classes/collect.bash - find the submissions of a class in a folder or an archive.
#
# Everything here comes from strangers. Names are data: they are never parts of a command, and
# none with a control character gets any further. Links are not followed, and from an archive
# only regular files are written, into an empty folder of ours, under names that stay inside it.
# What is not understood is reported and never guessed.
#
# collect SOURCE WORK: writes two lists of lines with fields between tabs,
#   WORK/students      STUDENT
#   WORK/found         STUDENT CHAPTER SIZE PATH LABEL   CHAPTER: 03-naive-fork; PATH: where it can
#                                                be read now; LABEL: where it came from. With the
#                                                SIZE "-" there is no verdict, and LABEL says why
# and calls problem KIND STUDENT TEXT for the rest. It wants CHAPTERS, the chapters that are graded.
# Rests on bsdtar(1), which reads .zip and .tar alike and shows strange bytes of names as escapes.

# What a class may hand in. A student's archive is small; the export of a whole class is not.
LIMIT_FILES=${LIMIT_FILES:-2000}     # entries of a student's archive or folder
LIMIT_BYTES=${LIMIT_BYTES:-33554432} # 32 MiB of a student's archive, unpacked
LIMIT_CLASS_FILES=${LIMIT_CLASS_FILES:-200000}
LIMIT_CLASS_BYTES=${LIMIT_CLASS_BYTES:-2147483648}
LIMIT_SECONDS=${LIMIT_SECONDS:-120} # to read an archive
# And of all archives of a student together, those in archives too.
LIMIT_STUDENT_ARCHIVES=${LIMIT_STUDENT_ARCHIVES:-100}
LIMIT_STUDENT_BYTES=${LIMIT_STUDENT_BYTES:-67108864} # 64 MiB, unpacked
LIMIT_STUDENT_SECONDS=${LIMIT_STUDENT_SECONDS:-120}
LIMIT_NAME=${LIMIT_NAME:-180} # bytes of a student's name

# collect SOURCE WORK
collect() {
  local source=$1
  COLLECTED=$2
  UNPACKED=0
  # What is left for each student. The keys are "of NAME": a name may be @ or *.
  declare -gA ARCHIVES_LEFT=() BYTES_LEFT=() TIME_LEFT=() OVER=()
  ENDS_AT=''
  mkdir -p "$COLLECTED/unpacked"
  : >"$COLLECTED/students.raw"
  : >"$COLLECTED/found.raw"
  if [[ -f $source ]]; then
    unpack_here "$source" "$(basename -- "$source")" '' "$LIMIT_CLASS_FILES" "$LIMIT_CLASS_BYTES" &&
      scan_class "$FOLDER" "$(basename -- "$source"): " 1
  else
    scan_class "$source" '' 0
  fi
  sort -u "$COLLECTED/students.raw" >"$COLLECTED/students"
  without_over <"$COLLECTED/found.raw" | sort -t $'\t' -k 1,1 -k 2,2 -k 5,5 >"$COLLECTED/found"
  rm "$COLLECTED/students.raw" "$COLLECTED/found.raw"
}

# shown NAME: prints the name so that no byte of it can harm a terminal or a line.
shown() {
  if is_clean "$1"; then
    printf '%s\n' "$1"
  else
    # As bytes: %q would take a broken letter for a whole one.
    LC_ALL=C printf '%q\n' "$1"
  fi
}

# is_clean NAME: may this name go into lists and reports? UTF-8, no control characters.
is_clean() {
  local LC_ALL=C
  [[ $1 != *[[:cntrl:]]* ]] || return 1
  [[ $1 != *[!\ -~]* ]] || iconv -f UTF-8 -t UTF-8 <<<"$1" >/dev/null 2>&1
}

# is_archive NAME: one that learning platforms and students make?
is_archive() {
  case ${1,,} in
    *.zip | *.tar | *.tar.gz | *.tgz) return 0 ;;
    *) return 1 ;;
  esac
}

# without_archive_ending NAME
without_archive_ending() {
  local name=$1
  case ${name,,} in
    *.tar.gz) name=${name:0:${#name}-7} ;;
    *.zip | *.tar | *.tgz) name=${name:0:${#name}-4} ;;
  esac
  printf '%s\n' "$name"
}

# read_name TYPE NAME: sets STUDENT and REST from the name of a top-level folder (d) or file (f) as
# platforms make them:
#   Name_12345_assignsubmission_file_              STUDENT Name_12345     REST empty
#   Name_12345_assignsubmission_file_03-slug.c     STUDENT Name_12345     REST 03-slug.c
#   namefirst_LATE_12345_67890_03-slug.c (a file)  STUDENT namefirst_12345 REST 03-slug.c
#   Name                                           STUDENT Name           REST empty
read_name() {
  STUDENT=$2
  REST=''
  if [[ $2 =~ ^(.+)_assignsubmission_(file|onlinetext)_?(.*)$ ]]; then
    STUDENT=${BASH_REMATCH[1]}
    REST=${BASH_REMATCH[3]}
  elif [[ $1 == f && $2 =~ ^([^_]+)_(LATE_)?([0-9]+)_([0-9]+)_(.+)$ ]]; then
    STUDENT=${BASH_REMATCH[1]}_${BASH_REMATCH[3]}
    REST=${BASH_REMATCH[5]}
    # The platform numbers what is handed in again: 03-slug-1.c.
    if [[ $REST =~ ^(.+)-[0-9]+(\.c)$ ]]; then
      REST=${BASH_REMATCH[1]}${BASH_REMATCH[2]}
    fi
  fi
}

# add_student NAME LABEL: note the student. 1 when the name cannot be one.
add_student() {
  local LC_ALL=C
  if ! is_clean "$1" || ((${#1} > LIMIT_NAME)) || [[ $1 == .* ]]; then
    problem refused '' "$2: not a name for a student (control characters, not UTF-8, too long or hidden)"
    return 1
  fi
  printf '%s\n' "$1" >>"$COLLECTED/students.raw"
}

# chapter_of PATH: sets CHAPTER when the path ends as a submission does, else returns 1.
chapter_of() {
  local path=/$1 one
  # shellcheck disable=SC2153 # CHAPTERS is the caller's
  for one in "${CHAPTERS[@]}"; do
    if [[ $path == */"$one.c" || $path == */"$one/exercise.c" ]]; then
      CHAPTER=$one
      return 0
    fi
  done
  return 1
}

# add_file STUDENT CHAPTER SIZE PATH LABEL
add_file() {
  local IFS=$'\t'
  printf '%s\n' "$*" >>"$COLLECTED/found.raw"
}

# what_is LETTER: the types of find(1) and ls(1) in words.
what_is() {
  case $1 in
    l) printf 'a symbolic link\n' ;;
    h) printf 'a hard link\n' ;;
    p) printf 'a pipe\n' ;;
    s) printf 'a socket\n' ;;
    *) printf 'a device\n' ;;
  esac
}

# ---- a class ----

# scan_class FOLDER LABEL DEPTH: every entry of the folder is a student, or the folder of an export of them.
# LABEL stands before each name in reports; DEPTH: in how many archives we are already.
scan_class() {
  local folder=$1 label=$2 depth=$3 type size name
  local entry
  # As bytes: the first byte of a broken letter would take the end of the name for its second.
  while LC_ALL=C IFS= read -r -d '' entry; do
    IFS=' ' read -r type size <<<"${entry%%"${entry#* * }"}"
    name=${entry#* * }
    case $type in
      d)
        if [[ $name =~ ^assignment_[0-9]+_export$ ]]; then
          scan_class "$folder/$name" "$label$name/" "$depth"
        elif [[ $name == __MACOSX ]]; then
          problem ignored '' "$label$name/"
        else
          read_name d "$name"
          if add_student "$STUDENT" "$(shown "$label$name")"; then
            scan_student "$STUDENT" "$folder/$name" "$label$name/" "$depth"
          fi
        fi
        ;;
      f) scan_single "$folder/$name" "$name" "$size" "$label" "$depth" ;;
      *) problem refused '' "$(shown "$label$name"): $(what_is "$type"), not followed" ;;
    esac
  done < <(find "$folder" -mindepth 1 -maxdepth 1 -printf '%y %s %f\0' | LC_ALL=C sort -z -k 3)
}

# scan_single PATH NAME SIZE LABEL DEPTH: a file beside the folders of the students.
scan_single() {
  local path=$1 name=$2 size=$3 label=$4 depth=$5
  if is_archive "$name"; then
    # It is one student's, whatever is in it: what is in it the student has chosen.
    local first=$((UNPACKED + 1)) student
    read_name f "$name"
    [[ -n $REST ]] || STUDENT=$(without_archive_ending "$name")
    student=$STUDENT
    if add_student "$student" "$(shown "$label$name")"; then
      scan_archive "$student" "$path" "$label$name" "$depth"
      if ((depth == 0)) && lists_export "$COLLECTED/unpacked/$first.list"; then
        problem misnamed "$student" \
          "$label$name: taken for one student's; the export of a class is given by itself: SUBMISSIONS=.../$name"
      fi
    fi
    return
  fi
  read_name f "$name"
  if [[ -n $REST && $REST != */* ]] && chapter_of "$REST"; then
    if add_student "$STUDENT" "$(shown "$label$name")"; then
      add_file "$STUDENT" "$CHAPTER" "$size" "$path" "$label$name"
    fi
  elif [[ -n $REST ]] && add_student "$STUDENT" "$(shown "$label$name")"; then
    problem_file "$STUDENT" "$label$name"
  else
    problem_file '' "$label$name"
  fi
}

# lists_export LIST: does bsdtar's long list of an archive show folders or files as the platforms name them?
lists_export() {
  LC_ALL=C grep -qaE '_assignsubmission_(file|onlinetext)|[ /]submission_[0-9]+/' "$1" 2>/dev/null
}

# ---- a student ----

# problem_file STUDENT LABEL: a file that is no submission of a chapter. A C file or an archive
# may have been meant as one.
problem_file() {
  local student=$1 label=$2
  case ${label,,} in
    *.c | *.rar | *.7z | *.tar.* | *.tbz2 | *.txz)
      problem misnamed "$student" "$(shown "$label"): not NN-slug/exercise.c and not NN-slug.c of a chapter that is graded"
      ;;
    *) problem ignored "$student" "$(shown "$label")" ;;
  esac
}

# scan_student STUDENT FOLDER LABEL DEPTH: what is under the folder, at any depth.
scan_student() {
  local student=$1 folder=$2 label=$3 depth=$4 entry type size name count=0
  # Hidden folders and what an archiver of another system adds are named, not opened.
  # As bytes: the first byte of a broken letter would take the end of the name for its second.
  while LC_ALL=C IFS= read -r -d '' entry; do
    IFS=' ' read -r type size <<<"${entry%%"${entry#* * }"}"
    name=${entry#* * }
    if ((++count > LIMIT_FILES)); then
      problem refused "$student" "$(shown "$label"): more than $LIMIT_FILES entries, the rest is not looked at"
      break
    fi
    if ! is_clean "$name"; then
      problem refused "$student" "$(shown "$label$name"): the name has control characters or is not UTF-8"
      continue
    fi
    case $type in
      d) problem ignored "$student" "$label$name/" ;;
      f)
        if chapter_of "$name"; then
          add_file "$student" "$CHAPTER" "$size" "$folder/$name" "$label$name"
        elif is_archive "$name"; then
          scan_archive "$student" "$folder/$name" "$label$name" "$depth"
        else
          problem_file "$student" "$label$name"
        fi
        ;;
      *) problem refused "$student" "$label$name: $(what_is "$type"), not followed" ;;
    esac
  done < <(find "$folder" -mindepth 1 \
    -type d \( -name '.*' -o -name __MACOSX \) -prune -printf '%y %s %P\0' -o \
    ! -type d -printf '%y %s %P\0' | LC_ALL=C sort -z -k 3)
}

# scan_archive STUDENT ARCHIVE LABEL DEPTH
scan_archive() {
  local student=$1 archive=$2 label=$3 depth=$4 key="of $1" outer=$ENDS_AT left
  if ((depth >= 2)); then
    problem refused "$student" "$label: an archive in an archive in an archive"
    return
  fi
  [[ -z ${OVER[$key]-} ]] || return 0
  left=$((${ARCHIVES_LEFT[$key]-$LIMIT_STUDENT_ARCHIVES} - 1))
  ARCHIVES_LEFT[$key]=$left
  if ((left < 0)); then
    over "$student" "$label" "there are more than $LIMIT_STUDENT_ARCHIVES archives"
    return
  fi
  # An archive in another one takes its time from it.
  if [[ -z $outer ]]; then
    left=${TIME_LEFT[$key]-$((LIMIT_STUDENT_SECONDS * 100))}
    now
    ENDS_AT=$((NOW + left))
  fi
  if unpack_here "$archive" "$label" "$student" "$LIMIT_FILES" "$LIMIT_BYTES"; then
    scan_student "$student" "$FOLDER" "$label: " $((depth + 1))
  fi
  if [[ -z $outer ]]; then
    now
    TIME_LEFT[$key]=$((ENDS_AT - NOW))
    ENDS_AT=''
  fi
}

# ---- what a student's archives may take together ----

# now: sets NOW, in hundredths of a second. Nobody sets this clock.
now() {
  read -r NOW _ </proc/uptime
  NOW=${NOW/./}
}

# time_left STUDENT LABEL: sets SECONDS_LEFT, how long an archive may take now. 1: not at all.
time_left() {
  SECONDS_LEFT=$LIMIT_SECONDS
  [[ -n $1 ]] || return 0
  now
  local left=$((ENDS_AT - NOW))
  if ((left <= 0)); then
    over "$1" "$2" "the archives take more than $LIMIT_STUDENT_SECONDS s"
    return 1
  fi
  left=$((left / 100 + 1))
  ((left > SECONDS_LEFT)) || SECONDS_LEFT=$left
}

# bytes_left STUDENT LABEL: is there room for BYTES, which an archive unpacks to? Then it is taken.
bytes_left() {
  [[ -n $1 ]] || return 0
  local key="of $1" left
  left=$((${BYTES_LEFT[$key]-$LIMIT_STUDENT_BYTES} - BYTES))
  if ((left < 0)); then
    over "$1" "$2" "the archives are larger than $((LIMIT_STUDENT_BYTES / 1048576)) MiB when they are unpacked"
    return 1
  fi
  BYTES_LEFT[$key]=$left
}

# over STUDENT LABEL WHY: this archive is not used, no more of the student's is opened, and nothing is graded:
# what is in those that are not opened may be what was meant.
over() {
  problem refused "$1" "$(shown "$2"): $3; no other of this student is opened"
  OVER["of $1"]=$3
}

# without_over: the lines of add_file, those of students whose archives are too much replaced.
without_over() {
  local key chapter
  if ((${#OVER[@]} == 0)); then
    cat
    return
  fi
  printf '%s\n' "${!OVER[@]}" >"$COLLECTED/over"
  awk -F'\t' 'NR == FNR { over[$0]; next } !(("of " $1) in over)' "$COLLECTED/over" -
  for key in "${!OVER[@]}"; do
    for chapter in "${CHAPTERS[@]}"; do
      printf '%s\t%s\t-\t-\t%s\n' "${key#of }" "$chapter" "${OVER[$key]}"
    done
  done
}

# ---- archives ----

# unpack_here ARCHIVE LABEL STUDENT FILES BYTES: unpack the regular files into a new folder and
# set FOLDER to it. Returns 1, after a problem line, when nothing of it can be used.
unpack_here() {
  local archive=$1 label=$2 student=$3 files=$4 bytes=$5 list reason
  FOLDER=$COLLECTED/unpacked/$((++UNPACKED))
  list=$FOLDER.list
  mkdir "$FOLDER"
  # Reading it is the first danger: what is small here may be endless inside.
  time_left "$student" "$label" || return 1
  if ! (
    ulimit -t "$SECONDS_LEFT"
    timeout "$SECONDS_LEFT" bsdtar --numeric-owner -tvf "$archive" </dev/null 2>"$list.err" |
      head -n $((files + 1)) >"$list"
    # A list that was cut ends bsdtar by SIGPIPE: that it is too long is told below.
    ((PIPESTATUS[0] == 0 || PIPESTATUS[0] == 141))
  ); then
    time_left "$student" "$label" || return 1
    reason=$(head -n 1 "$list.err")
    problem refused "$student" "$(shown "$label"): not an archive that can be read (${reason#bsdtar: })"
    return 1
  fi
  select_entries "$list" "$label" "$student" "$files" "$bytes" || return 1
  [[ -s $list.names ]] || return 0
  bytes_left "$student" "$label" && time_left "$student" "$label" || return 1
  # No owner, no mode, no attribute of the archive; no file longer than all may be together.
  if ! (
    umask 077
    ulimit -t "$SECONDS_LEFT" -f $((bytes / 1024 + 1))
    timeout "$SECONDS_LEFT" bsdtar -xf "$archive" -C "$FOLDER" --null -T "$list.names" \
      --no-same-owner --no-same-permissions --no-acls --no-xattrs --no-fflags \
      </dev/null >/dev/null 2>"$list.err"
  ); then
    rm -rf "$FOLDER"
    time_left "$student" "$label" || return 1
    reason=$(head -n 1 "$list.err")
    problem refused "$student" "$(shown "$label"): broken (${reason#bsdtar: })"
    return 1
  fi
  # What came out must be what was asked for, whatever the archive's own list said.
  if [[ -n $(find "$FOLDER" ! -type f ! -type d -print -quit) ]] ||
    (($(find "$FOLDER" -type f -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }') > bytes)); then
    problem refused "$student" "$(shown "$label"): unpacks to something else than its list says"
    rm -rf "$FOLDER"
    return 1
  fi
  find "$FOLDER" -exec chmod u+rwX {} +
}

# select_entries LIST LABEL STUDENT FILES BYTES: from bsdtar's long list, write the names that may
# be unpacked to LIST.names, each ended by NUL, as patterns that match only themselves. Sets BYTES to
# their size together.
select_entries() {
  local list=$1 label=$2 student=$3 files=$4 bytes=$5 line name type size count=0 pattern
  BYTES=0
  # Mode, links, owner, group, size, three words of time, name.
  pattern='^(.)[^ ]* +[0-9]+ +[0-9]+ +[0-9]+ +([0-9,]+) +[A-Z][a-z][a-z] +[0-9]+ +[0-9:]+ (.*)$'
  while IFS= read -r line; do
    if ((++count > files)); then
      problem refused "$student" "$(shown "$label"): more than $files entries"
      return 1
    fi
    if [[ ! $line =~ $pattern ]]; then
      problem refused "$student" "$(shown "$label"): an entry that is not understood"
      continue
    fi
    type=${BASH_REMATCH[1]}
    size=${BASH_REMATCH[2]}
    name=${BASH_REMATCH[3]}
    case $type in
      d) continue ;;
      -) ;;
      *)
        # Behind the name stands where a link leads.
        [[ $type != l ]] || name=${name%% -> *}
        [[ $type != h ]] || name=${name%% link to *}
        problem refused "$student" "$(shown "$label: $name"): $(what_is "$type"), not unpacked"
        continue
        ;;
    esac
    if [[ $name == /* || /$name/ == */../* ]]; then
      problem refused "$student" "$(shown "$label: $name"): leads out of the archive, not unpacked"
      continue
    fi
    if [[ $name == *\\* ]]; then
      problem refused "$student" "$label: $name: the name has a backslash or a byte that is not text, not unpacked"
      continue
    fi
    if ((${#size} > 15 || (BYTES += size) > bytes)); then
      problem refused "$student" "$(shown "$label"): larger than $((bytes / 1048576)) MiB when it is unpacked"
      return 1
    fi
    printf '%s\n' "$name"
  done <"$list" >"$list.clean"
  # Sorted on the disk: an export may have more names than should be kept in memory.
  LC_ALL=C sort "$list.clean" | LC_ALL=C uniq -d | while IFS= read -r name; do
    problem refused "$student" "$label: $name: twice in the archive; which one is meant?"
  done
  # In bsdtar a name is a pattern: make * ? [ ] mean themselves.
  LC_ALL=C sort "$list.clean" | LC_ALL=C uniq -u | sed 's/[][*?]/\\&/g' | tr '\n' '\0' >"$list.names"
}
