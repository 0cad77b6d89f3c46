#!/bin/sh
# The agent of the demo: a script that plays one. Ralph gives it the task in
# RALPH_TASK_ID, what to do in RALPH_PHASE, which attempt it is in
# RALPH_ATTEMPT, and the prompt on stdin. It works in the current directory.
set -eu
cat > /dev/null
sleep 0.4
mkdir -p book

case "$RALPH_PHASE:$RALPH_TASK_ID" in
resolve:*)
    # A real conflict: keep the lines of both sides, without the markers.
    awk '/^<<<<<<< /{next} /^\|\|\|\|\|\|\| /{base=1;next} /^=======$/{base=0;next}
         /^>>>>>>> /{next} !base{print}' book/title.txt > book/title.new
    mv book/title.new book/title.txt
    ;;
fix:*)
    # The gate was red because of this word.
    sed 's/UNFINISHED/finished/' book/notes.txt > book/notes.new
    mv book/notes.new book/notes.txt
    ;;
*:RQ-0001) echo 'by a careful author' > book/title.txt ;;
*:RQ-0002) echo 'with many pictures' > book/title.txt ;;
*:RQ-0003) echo 'one' > book/chapters.txt ;;
*:RQ-0004) echo 'two' >> book/chapters.txt ;;
*:RQ-0005) echo 'three' >> book/chapters.txt ;;
*:RQ-0006) echo 'UNFINISHED notes' > book/notes.txt ;;
*:RQ-0007)
    echo 'half an index' > book/index.txt
    [ "$RALPH_ATTEMPT" -gt 1 ] || { echo 'the agent crashes' >&2; exit 70; }
    echo 'the whole index' > book/index.txt
    ;;
*) echo "written for $RALPH_TASK_ID" > "book/$RALPH_TASK_ID.txt" ;;
esac
