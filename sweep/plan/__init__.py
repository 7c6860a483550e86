"""What a sweep will be before it runs: its tiles, the variables of its store, pilot timings, estimates."""
