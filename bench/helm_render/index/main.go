// index reads a repository's index with Helm's own package and says how long each reading took.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	repo "helm.sh/helm/v4/pkg/repo/v1"
)

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	runs, err := strconv.Atoi(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	seconds := []float64{}
	for range runs {
		started := time.Now()
		if _, err := repo.LoadIndexFile(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		seconds = append(seconds, time.Since(started).Seconds())
	}
	_ = json.NewEncoder(os.Stdout).Encode(seconds)
}
