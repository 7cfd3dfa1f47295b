package mona

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

var background = context.Background()

func message(id string) Message {
	return Message{ContextClass: "LOANS", ContextID: id, Message: map[string]any{"a": 1}}
}

func client(t *testing.T, config any) *Client {
	t.Helper()
	client, err := New(config)
	check(t, err)
	return client
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAMessageArrivesAsItWasGiven(t *testing.T) {
	reset(t, "[]")
	fields := map[string]any{"größe": "💶", "big": json.Number("12345678901234567890"), "none": nil}
	document, err := client(t, nil).Export(background, Message{ContextClass: "LOANS", Message: fields}, nil)
	check(t, err)
	if !document.Success || document.Sent != 1 {
		t.Error(string(document.JSON))
	}
	if sent := requests(t)[0].Text; !strings.Contains(sent, `{"big":12345678901234567890,"größe":"💶","none":null}`) {
		t.Error(sent)
	}
}

func TestJSONTextGoesThroughDigitByDigit(t *testing.T) {
	reset(t, "[]")
	_, err := client(t, nil).Export(background, `{"message":{"x":1.10},"contextClass":"LOANS"}`, nil)
	check(t, err)
	if sent := requests(t)[0].Text; !strings.Contains(sent, `{"x":1.10}`) {
		t.Error(sent)
	}
}

func TestAServiceAnswers(t *testing.T) {
	reset(t, `[{"path":"/insights","json":{"response_data":[{"score":0.50}]}}]`)
	arguments := map[string]any{"context_class": "LOANS", "min_segment_size": 1}
	document, err := client(t, nil).Service(background, "get_insights", arguments, nil)
	check(t, err)
	if string(document.Data) != `[{"score":0.50}]` {
		t.Error(string(document.JSON))
	}
}

func TestAFailureThatIsNotToBeRaisedIsADocument(t *testing.T) {
	document, err := client(t, `{"override_rest_api_host":"127.0.0.1:1"}`).Export(background, message("1"), nil)
	check(t, err)
	if document.Success || document.Status != Failed || document.ErrorKind != "connection" {
		t.Error(string(document.JSON))
	}
}

func TestNegativeStatusesAreErrors(t *testing.T) {
	reset(t, `[{"path":"*/api-token","status":401,"json":{"errors":["no"]}}]`)
	strict := client(t, map[string]any{
		"override_rest_api_host": "127.0.0.1:1", "override_app_server_host": "127.0.0.1:1", "access_token": "t", "user_id": "u",
		"raise_export_exceptions": true, "raise_service_exceptions": true, "queue": map[string]any{"max_messages": 1},
	})
	for wanted, call := range map[error]func() error{
		ErrInvalidArgument: func() error { _, err := strict.Export(background, "x", nil); return err },
		ErrInitialization:  func() error { _, err := New(`{"api_kee":1}`); return err },
		ErrAuthentication: func() error {
			_, err := New(`{"api_key":"another","raise_authentication_exceptions":true}`)
			return err
		},
		ErrExport:    func() error { _, err := strict.Export(background, message("1"), nil); return err },
		ErrService:   func() error { _, err := strict.Service(background, "get_config", "{}", nil); return err },
		ErrQueueFull: func() error { _, err := strict.Enqueue([]Message{message("1"), message("2")}, nil); return err },
	} {
		if err := call(); !errors.Is(err, wanted) {
			t.Errorf("%v, not %v", err, wanted)
		}
	}
	_, err := strict.Close(background)
	check(t, err)
	var closed *Error
	if _, err = strict.Export(background, message("1"), nil); !errors.As(err, &closed) || closed.Kind != "closed" {
		t.Error(err)
	}
}

func TestNilIsNoMessagesAndNoArguments(t *testing.T) {
	reset(t, "[]")
	c := client(t, map[string]any(nil))
	for _, none := range []any{nil, []Message(nil), []any(nil), json.RawMessage(nil), map[string]any(nil)} {
		document, err := c.Export(background, none, nil)
		check(t, err)
		if !document.Success || document.Total != 0 {
			t.Error(string(document.JSON))
		}
		document, err = c.Enqueue(none, nil)
		check(t, err)
		if document.Accepted != 0 {
			t.Error(string(document.JSON))
		}
	}
	for _, none := range []any{nil, map[string]any(nil), json.RawMessage(nil)} {
		_, err := c.Service(background, "get_config", none, nil)
		check(t, err)
	}
	if _, err := c.Export(background, "null", nil); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
}

func TestAMessageHasTheNewerNameOfItsTimestamp(t *testing.T) {
	reset(t, "[]")
	sent := message("1")
	sent.SendTimestamp = 1700000000000
	_, err := client(t, `{"use_send_timestamp_field":true}`).Export(background, sent, nil)
	check(t, err)
	if text := requests(t)[0].Text; !strings.Contains(text, `"sendTimestamp":1700000000000`) {
		t.Error(text)
	}
}

func TestValuesThatAreNoJSONAreErrors(t *testing.T) {
	if _, err := client(t, nil).Export(background, Message{Message: make(chan int)}, nil); err == nil {
		t.Error("a channel was sent")
	}
}

func TestTheEndOfTheContextEndsTheWait(t *testing.T) {
	reset(t, `[{"path":"/export","delay_ms":500}]`)
	short, cancel := context.WithTimeout(background, 10*time.Millisecond)
	defer cancel()
	c := client(t, nil)
	if _, err := c.Export(short, message("1"), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if _, err := c.Enqueue(message("2"), nil); err != nil {
		t.Error(err)
	}
	if err := c.Flush(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestAContextThatHasEndedSendsNothing(t *testing.T) {
	reset(t, "[]")
	ended, cancel := context.WithCancel(background)
	cancel()
	c := client(t, `{"async_workers":1}`)
	if _, err := c.Export(ended, message("1"), nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := c.Service(ended, "get_config", "{}", nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// After these two: a client with one worker begins calls in their order.
	_, err := c.Export(background, message("2"), nil)
	check(t, err)
	if sent := requests(t); len(sent) != 1 {
		t.Error(sent)
	}
}

func TestTextsThatCWouldCutOffAreErrors(t *testing.T) {
	reset(t, "[]")
	c := client(t, nil)
	for name, call := range map[string]func() error{
		"config":  func() error { _, err := New("{}\x00"); return err },
		"service": func() error { _, err := c.Service(background, "get_config\x00x", "{}", nil); return err },
		"options": func() error { _, err := c.Enqueue("[]", &Options{JSON: "{}\x00x"}); return err },
	} {
		err := call()
		if !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), name+" must not contain NUL") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if sent := requests(t); len(sent) != 0 {
		t.Error(sent)
	}
}

func TestATimeOutOfTheCallsOwnIsADocument(t *testing.T) {
	reset(t, `[{"path":"/export","delay_ms":500}]`)
	document, err := client(t, nil).Export(background, message("1"), &Options{TimeoutMS: 10})
	check(t, err)
	if document.ErrorKind != "timeout" {
		t.Error(string(document.JSON))
	}
}

func TestEachOfManyGoroutinesGetsItsOwnAnswer(t *testing.T) {
	reset(t, "[]")
	c := client(t, nil)
	var group sync.WaitGroup
	for number := 0; number < 200; number++ {
		group.Add(1)
		go func(number int) {
			defer group.Done()
			messages := make([]Message, number)
			for i := range messages {
				messages[i] = message("1")
			}
			document, err := c.Export(background, messages, nil)
			if err != nil || document.Sent != number {
				t.Errorf("%d: %v %v", number, document, err)
			}
		}(number)
	}
	group.Wait()
}

func TestWhatIsEnqueuedArrives(t *testing.T) {
	reset(t, "[]")
	c := client(t, nil)
	document, err := c.Enqueue([]Message{message("1"), message("2")}, nil)
	check(t, err)
	check(t, c.Flush(background))
	stats, err := c.Stats()
	check(t, err)
	if document.Accepted != 2 || !strings.Contains(string(stats), `"delivered":2,`) || messages(t) != 2 {
		t.Error(string(stats))
	}
}

// inFlight waits until a message is on its way.
func inFlight(t *testing.T, c *Client) {
	t.Helper()
	for {
		stats, err := c.Stats()
		check(t, err)
		if strings.Contains(string(stats), `"in_flight":1,`) {
			return
		}
	}
}

func TestFlushWaitsForWhatWasEnqueuedBeforeAndNoLonger(t *testing.T) {
	reset(t, `[{"path":"/export","delay_ms":500,"times":1},{"path":"/export","status":503}]`)
	c := client(t, `{"queue":{"linger_ms":3600000,"free_timeout_ms":0}}`)
	_, err := c.Enqueue(message("1"), nil)
	check(t, err)
	flushed := make(chan error)
	patient, cancel := context.WithTimeout(background, 30*time.Second)
	defer cancel()
	go func() { flushed <- c.Flush(patient) }()
	// It lingers until the flush has begun.
	inFlight(t, c)
	_, err = c.Enqueue(message("2"), nil)
	check(t, err)
	check(t, <-flushed)
	now, cancel := context.WithTimeout(background, time.Millisecond)
	defer cancel()
	if err := c.Flush(now); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestACancelledContextEndsTheFlush(t *testing.T) {
	reset(t, `[{"path":"/export","delay_ms":60000}]`)
	c := client(t, `{"queue":{"linger_ms":3600000}}`)
	_, err := c.Enqueue(message("1"), nil)
	check(t, err)
	cancellable, cancel := context.WithCancel(background)
	flushed := make(chan error)
	go func() { flushed <- c.Flush(cancellable) }()
	inFlight(t, c)
	cancel()
	if err := <-flushed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := c.Flush(cancellable); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// What held the message back is forgotten.
	reset(t, "[]")
	check(t, c.Flush(background))
}

func TestClosingTellsWhatIsLeft(t *testing.T) {
	reset(t, `[{"path":"/export","status":503}]`)
	c := client(t, nil)
	_, err := c.Enqueue(message("1"), nil)
	check(t, err)
	now, cancel := context.WithTimeout(background, 0)
	defer cancel()
	document, err := c.Close(now)
	check(t, err)
	if document.Undelivered != 1 {
		t.Error(string(document.JSON))
	}
}

func TestClosingWithACancelledContextDoesNotWait(t *testing.T) {
	reset(t, `[{"path":"/export","delay_ms":500}]`)
	c := client(t, nil)
	_, err := c.Enqueue(message("1"), nil)
	check(t, err)
	cancelled, cancel := context.WithCancel(background)
	cancel()
	document, err := c.Close(cancelled)
	check(t, err)
	if document.Undelivered != 1 {
		t.Error(string(document.JSON))
	}
}
