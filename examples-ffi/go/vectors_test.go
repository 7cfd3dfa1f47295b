package mona

import (
	"errors"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// vector is a case of tests/vectors.txt.
type vector struct {
	name     string
	given    map[string]string
	expected []string
}

func vectors(t *testing.T) (found []vector) {
	file, err := os.ReadFile("../../tests/vectors.txt")
	check(t, err)
	config := ""
	for _, line := range strings.Split(string(file), "\n") {
		key, text, _ := strings.Cut(line, " ")
		switch {
		case key == "" || key == "#":
		case key == "case":
			found = append(found, vector{text, map[string]string{"config": config, "answer": "[]"}, nil})
		case len(found) == 0:
			config = text
		case key == "status" || key == "document" || key == "request":
			found[len(found)-1].expected = append(found[len(found)-1].expected, line)
		default:
			found[len(found)-1].given[key] = text
		}
	}
	return found
}

// An event's document is that of the synchronous call, with three members in front.
var inFront = regexp.MustCompile(`^\{"type":"\w+","tag":"\d+","status":-?\d+,`)

func play(t *testing.T, given map[string]string) []string {
	reset(t, given["answer"])
	c := client(t, given["config"])
	options := &Options{JSON: given["options"]}
	if options.JSON == "" {
		options = nil
	}
	call := func() (*Document, error) { return c.Service(background, given["call"], given["input"], options) }
	if given["call"] == "export" {
		call = func() (*Document, error) { return c.Export(background, given["input"], options) }
	}
	document, err := call()
	var failure *Error
	if errors.As(err, &failure) {
		document = &Document{Status: failure.Status, JSON: failure.JSON}
	} else {
		check(t, err)
	}
	json := inFront.ReplaceAllString(string(document.JSON), "{")
	ours := []string{"status " + strconv.Itoa(document.Status), "document " + json}
	for _, request := range requests(t) {
		ours = append(ours, "request "+request.Path+" "+request.Text)
	}
	return ours
}

func TestEveryVector(t *testing.T) {
	found := vectors(t)
	if len(found) < 200 {
		t.Fatal(len(found), "cases")
	}
	for _, vector := range found {
		if ours := play(t, vector.given); !reflect.DeepEqual(ours, vector.expected) {
			t.Errorf("%s:\n%s\nnot\n%s", vector.name, strings.Join(ours, "\n"), strings.Join(vector.expected, "\n"))
		}
	}
}
