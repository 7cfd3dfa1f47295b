package mona

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// request is one that the sandbox received.
type request struct{ Path, Text string }

// ask asks the sandbox that scripts/with-sandbox started.
func ask(t testing.TB, method, path, body string, answer any) {
	t.Helper()
	request, err := http.NewRequest(method, os.Getenv("MONA_SANDBOX_URL")+"/sandbox/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && answer != nil {
		err = json.Unmarshal(text, answer)
	}
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(err, string(text))
	}
}

// reset makes the sandbox forget everything, let everybody in, and play these rules.
func reset(t testing.TB, rules string) {
	t.Helper()
	ask(t, "POST", "reset", "", nil)
	ask(t, "POST", "rules", `{"defaults":{"enforce_auth":false},"rules":`+rules+`}`, nil)
}

// requests is what arrived, but for logins.
func requests(t testing.TB) (arrived []request) {
	t.Helper()
	var all []request
	ask(t, "GET", "requests", "", &all)
	for _, request := range all {
		if !strings.Contains(request.Path, "/auth/") {
			arrived = append(arrived, request)
		}
	}
	return arrived
}

// messages is how many messages arrived.
func messages(t testing.TB) int {
	t.Helper()
	var health struct{ Messages int }
	ask(t, "GET", "health", "", &health)
	return health.Messages
}
