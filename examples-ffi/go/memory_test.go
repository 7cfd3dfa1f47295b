package mona

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// calls is how many calls the tests of memory make.
func calls() int {
	if calls, err := strconv.Atoi(os.Getenv("MONA_CALLS")); err == nil {
		return calls
	}
	return 100_000
}

// resident is how much memory the process has.
func resident(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
	statm, err := os.ReadFile("/proc/self/statm")
	check(t, err)
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	check(t, err)
	return pages * os.Getpagesize()
}

// flat checks that memory after many calls is what it was after some. A leak of one document a call would be twice the bound.
func flat(t *testing.T, act func(calls int)) {
	t.Helper()
	act(calls() / 5)
	before := resident(t)
	act(calls())
	if more := resident(t) - before; more > 6<<20 {
		t.Errorf("%d bytes more", more)
	}
}

func TestCallsLeaveNothing(t *testing.T) {
	reset(t, "[]")
	c := client(t, nil)
	flat(t, func(calls int) {
		for number := 0; number < calls; number++ {
			var err error
			switch {
			case number%100 == 0:
				_, err = c.Export(background, message("1"), nil)
			case number%10 == 1:
				_, err = c.Enqueue(message("1"), nil)
			case number%10 == 2:
				_, err = c.Stats()
			case number%10 == 3:
				if _, err = c.Service(background, "no_such_service", "{}", nil); errors.Is(err, ErrInvalidArgument) {
					err = nil
				}
			default:
				_, err = c.Export(background, "[]", nil)
			}
			check(t, err)
		}
		check(t, c.Flush(background))
	})
}

// threads is how many threads of libmona's asynchronous calls there are.
func threads() (found int) {
	names, _ := filepath.Glob("/proc/self/task/*/comm")
	for _, name := range names {
		if comm, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(comm), "mona-") {
			found++
		}
	}
	return found
}

func TestClientsThatNobodyHoldsAreFreed(t *testing.T) {
	for number := 0; number < 50; number++ {
		c := client(t, `{"authenticate_on_init":false}`)
		_, err := c.Export(background, "[]", nil)
		check(t, err)
		if threads() == 0 {
			t.Fatal("a client in use has no thread")
		}
		runtime.KeepAlive(c)
	}
	// The test's own time limit bounds this.
	for runtime.GC(); threads() > 0; runtime.GC() {
		time.Sleep(time.Millisecond)
	}
}
