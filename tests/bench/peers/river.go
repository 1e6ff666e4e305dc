// River, as its own benchmark sets it up: river MODE COUNT
//
//	fill      inserts COUNT jobs of 32 bytes
//	batched   works them: 2,000 at once, fetched every 2 ms at most, completions in batches
//
// Prints one line of JSON: how many jobs were done exactly once, and when the first was begun and the last was completed.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

type args struct {
	I string `json:"i"`
}

func (args) Kind() string { return "bench" }

// What was begun: a job that is begun twice ends the program.
type record struct {
	river.WorkerDefaults[args]
	mutex sync.Mutex
	seen  map[string]bool
	first time.Time
}

func (r *record) Work(_ context.Context, job *river.Job[args]) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.first.IsZero() {
		r.first = time.Now()
	}
	if r.seen[job.Args.I] {
		log.Fatalf("%s was begun twice", job.Args.I)
	}
	r.seen[job.Args.I] = true
	return nil
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func fill(ctx context.Context, pool *pgxpool.Pool, count int) {
	must(must(rivermigrate.New(riverpgxv5.New(pool), nil)).Migrate(ctx, rivermigrate.DirectionUp, nil))
	client := must(river.NewClient(riverpgxv5.New(pool), &river.Config{}))
	for i := 0; i < count; i += 5000 {
		jobs := make([]river.InsertManyParams, 0, 5000)
		for n := i; n < min(i+5000, count); n++ {
			jobs = append(jobs, river.InsertManyParams{Args: args{fmt.Sprintf("%024d", n)}})
		}
		must(client.InsertManyFast(ctx, jobs))
	}
	must(pool.Exec(ctx, "VACUUM (ANALYZE)"))
}

func work(ctx context.Context, pool *pgxpool.Pool, count int) {
	worker := &record{seen: make(map[string]bool, count)}
	workers := river.NewWorkers()
	river.AddWorker(workers, worker)
	client := must(river.NewClient(riverpgxv5.New(pool), &river.Config{
		FetchCooldown:     2 * time.Millisecond,
		FetchPollInterval: 20 * time.Millisecond,
		Logger:            slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 2000}},
		Workers:           workers,
	}))
	if err := client.Start(ctx); err != nil {
		log.Fatal(err)
	}
	for left := true; left; time.Sleep(50 * time.Millisecond) {
		row := pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM river_job WHERE state <> 'completed')")
		if err := row.Scan(&left); err != nil {
			log.Fatal(err)
		}
	}
	var last time.Time
	if err := pool.QueryRow(ctx, "SELECT max(finalized_at) FROM river_job").Scan(&last); err != nil {
		log.Fatal(err)
	}
	if err := client.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("{\"count\": %d, \"first\": %d, \"last\": %d}\n", len(worker.seen), worker.first.UnixMilli(), last.UnixMilli())
}

func main() {
	ctx := context.Background()
	count := must(strconv.Atoi(os.Args[2]))
	pool := must(pgxpool.New(ctx, "pool_max_conns=25"))
	defer pool.Close()
	if os.Args[1] == "fill" {
		fill(ctx, pool, count)
	} else {
		work(ctx, pool, count)
	}
}
