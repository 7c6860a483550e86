#!/usr/bin/env bash
# Driver, scheduler and workers in one allocation: sbatch deploy/slurm/one_job.sh SPEC [OUT]
#SBATCH --job-name=spinsweep
#SBATCH --ntasks=17            # one is the driver, all others compute
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=2G
#SBATCH --time=04:00:00
#SBATCH --requeue
set -u
spec=$1 out=${2:-results/$(basename "${1%.*}")}
srun --kill-on-bad-exit=0 spinsweep run "$spec" --out "$out" --cluster slurm-job
status=$?
# Stopped in time because the wall time was near: go on in the same place of the queue.
[ "$status" -eq 4 ] && scontrol requeue "$SLURM_JOB_ID"
exit "$status"
