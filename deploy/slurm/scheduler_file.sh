#!/usr/bin/env bash
# The same without dask-jobqueue, with nothing but Dask's own commands: sbatch deploy/slurm/scheduler_file.sh SPEC [OUT]
#SBATCH --job-name=spinsweep
#SBATCH --ntasks=16            # all of them compute; driver and scheduler share the first node with them
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=2G
#SBATCH --time=04:00:00
set -u
spec=$1 out=${2:-results/$(basename "${1%.*}")}
file=$PWD/.spinsweep-$SLURM_JOB_ID.json
trap 'kill $(jobs -p) 2>/dev/null; rm -f "$file"' EXIT

dask scheduler --scheduler-file "$file" --dashboard-address 127.0.0.1:8787 &
# Workers finish their tile and go 20 minutes before the wall time; what is left, `spinsweep resume OUT` computes.
export SPINSWEEP_LEAVE_AT=$(($(date +%s) + 4 * 3600 - 1200))
srun dask worker --scheduler-file "$file" --nthreads 1 --no-dashboard --local-directory "${TMPDIR:-/tmp}" \
  --preload sweep.clusters.leave_in_time --preload sweep.execution.local_worker &
while [ ! -s "$file" ]; do sleep 1; done
spinsweep run "$spec" --out "$out" --cluster "$file" &
driver=$!
( sleep $((4 * 3600 - 1300)); kill -INT "$driver" ) &
wait "$driver"
