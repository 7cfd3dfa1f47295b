// Example sends Mona what a model answered and how it turned out, and asks for a configuration that fits.
//
//	cd examples-ffi/go && go run ./example ../../examples-c/data
//
// The account is in the environment: docs/configuration.md.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"example.com/mona"
)

// read makes a JSON array of a file with one message a line.
func read(name string) []byte {
	lines, err := os.ReadFile(filepath.Join(os.Args[1], name))
	if err != nil {
		log.Fatal(err)
	}
	messages := bytes.Split(bytes.TrimSpace(lines), []byte("\n"))
	return append(append([]byte("["), bytes.Join(messages, []byte(","))...), ']')
}

func main() {
	ctx := context.Background()
	client, err := mona.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close(ctx)

	// At once: the answer tells what became of each message.
	document, err := client.Export(ctx, read("inference.jsonl"), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d sent, %d failed\n", document.Sent, document.Failed)

	// In the background: the program goes on.
	if _, err = client.Enqueue(read("feedback.jsonl"), nil); err != nil {
		log.Fatal(err)
	}
	if err = client.Flush(ctx); err != nil {
		log.Fatal(err)
	}
	var stats struct{ Delivered int }
	text, err := client.Stats()
	if err != nil {
		log.Fatal(err)
	}
	if err = json.Unmarshal(text, &stats); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d delivered\n", stats.Delivered)

	suggested, err := client.Service(ctx, "get_suggested_config", struct{}{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(suggested.Data))
}
