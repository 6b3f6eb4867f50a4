#!/bin/sh
# Stands for the images of the pipelines that tests run: does what their steps should, with a shell's own means.
what=$1
shift
echo "$what $*"
metrics() { # ExecutorInput, numbers as JSON
    file=$(printf %s "$1" | sed 's/.*"outputFile":"\([^"]*executor_output.json\)".*/\1/')
    printf '{"artifacts": {"metrics": {"artifacts": [{"metadata": %s}]}}}' "$2" > "$file"
}
case $what in
say) printf %s "$2" > "$4" ;;
count) printf %s "$1" > "$2" ;;
share) awk "BEGIN { printf \"%g\", $1 / 2 }" > "$2" ;;
flip) if [ "$1" = true ]; then echo False > "$2"; else echo True > "$2"; fi ;;
lists) printf %s "$1" > "$3"; printf %s "$2" > "$4" ;;
make) seq "${1#--rows=}" > "$2" ;;
fit)
    mkdir "$3"
    cp "$1" "$3/model"
    echo '{}' > "$4"
    echo '{}' > "$5"
    metrics "$6" "{\"rows\": $(wc -l < "$1")}"
    ;;
greet | status | gather | notify | deploy) ;;
*)
    while [ $# -gt 1 ]; do
        case $1 in
        --seed) seed=$2 ;;
        --train) train=$2 ;;
        --test) test=$2 ;;
        --min-accuracy) least=$2 ;;
        --model) model=$2 ;;
        --rows-out) echo 150 > "$2" ;;
        --hash-out) printf "hash-%s" "$seed" > "$2" ;;
        --train-out) echo "train $seed" > "$2" ;;
        --test-out) echo "test $seed" > "$2" ;;
        --model-out) cat "$train" > "$2"; echo model >> "$2" ;;
        --metrics-out) echo '{}' > "$2" ;;
        --run-id-out) printf run-of-%s "$seed" > "$2" ;;
        --accuracy-out) echo 0.95 > "$2" ;;
        --passed-out) if [ "$least" = 0.9 ]; then echo true > "$2"; else echo false > "$2"; fi ;;
        --version-out) printf v1 > "$2" ;;
        --executor-input) metrics "$2" '{"accuracy": 0.95}' ;;
        esac
        shift 2
    done
    # What is given as an artifact must be there.
    for file in "$train" "$test" "$model"; do
        if [ -n "$file" ]; then cat "$file" || exit 1; fi
    done
    ;;
esac
