// Package mona is a Go client of the Mona monitoring service, over libmona.
//
// Every call may be made from any goroutine. A negative status of libmona is an *Error; a failure that the client is
// configured not to raise is a Document whose Success is false.
package mona

/*
#cgo LDFLAGS: -lmona
#include <mona.h>
#include <stdlib.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// Statuses of a Document that is not an error.
const (
	OK      = C.MONA_OK
	Failed  = C.MONA_FAILED
	Timeout = C.MONA_TIMEOUT
)

// Error is a call that failed. It is one of the Err values to errors.Is.
type Error struct {
	Status    int
	Kind      string // a stable word
	Message   string
	Retriable bool
	JSON      json.RawMessage // the whole document
}

func (e *Error) Error() string {
	name := C.GoString(C.mona_status_name(C.mona_status(e.Status)))
	if e.Message == "" {
		return name
	}
	return name + ": " + e.Message
}

// Is compares statuses.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && e.Status == other.Status
}

// The kinds of errors: errors.Is(err, mona.ErrClosed).
var (
	ErrInvalidArgument = &Error{Status: C.MONA_ERROR_INVALID_ARGUMENT}
	ErrInitialization  = &Error{Status: C.MONA_ERROR_INITIALIZATION}
	ErrAuthentication  = &Error{Status: C.MONA_ERROR_AUTHENTICATION}
	ErrExport          = &Error{Status: C.MONA_ERROR_EXPORT}
	ErrService         = &Error{Status: C.MONA_ERROR_SERVICE}
	ErrQueueFull       = &Error{Status: C.MONA_ERROR_QUEUE_FULL}
	ErrClosed          = &Error{Status: C.MONA_ERROR_CLOSED}
	ErrInternal        = &Error{Status: C.MONA_ERROR_INTERNAL}
)

// Document is what a call returned. JSON has all of it, byte for byte.
type Document struct {
	Status       int    `json:"-"`
	Success      bool   `json:"success"`
	ErrorMessage string `json:"error_message"`
	ErrorKind    string `json:"error_kind"`
	Retriable    bool   `json:"retriable"`

	// Of an export; Accepted of Enqueue.
	Total          int             `json:"total"`
	Sent           int             `json:"sent"`
	Accepted       int             `json:"accepted"`
	Failed         int             `json:"failed"`
	FailureReasons json.RawMessage `json:"failure_reasons"` // an object by index, or a text
	SampledOut     int             `json:"sampled_out"`
	Empty          int             `json:"empty"`

	// Of a service.
	Data json.RawMessage `json:"data"`

	// Of Close.
	Undelivered int `json:"undelivered"`
	OnDisk      int `json:"on_disk"`

	JSON json.RawMessage `json:"-"`
}

// Options of an export. The zero value leaves all to the client's configuration.
type Options struct {
	DefaultAction    string `json:"default_action,omitempty"`
	FilterNoneFields *bool  `json:"filter_none_fields,omitempty"`
	TimeoutMS        int64  `json:"timeout_ms,omitempty"`
	JSON             string `json:"-"` // the options as text, in place of all others
}

// Message is one message, in the words of mona.h.
type Message struct {
	ContextClass     string `json:"contextClass"`
	ContextID        string `json:"contextId,omitempty"`
	ExportTimestamp  any    `json:"exportTimestamp,omitempty"`
	SendTimestamp    any    `json:"sendTimestamp,omitempty"` // its newer name
	Action           string `json:"action,omitempty"`
	SampleConfigName string `json:"sampleConfigName,omitempty"`
	Message          any    `json:"message"`
}

// Client is a client of one Mona account.
type Client struct {
	handle *C.mona_client

	lock    sync.Mutex
	tag     uint64
	waiting map[uint64]chan<- string // calls under way; a goroutine collects their events while there are any
}

// New makes a client and logs in. The configuration is a map or struct with the keys of docs/configuration.md, JSON text, or
// nil: then the environment alone counts. A login that failed gives a client that is not Active.
func New(config any) (*Client, error) {
	text, err := optional("config", config)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(text))
	client := &Client{waiting: map[uint64]chan<- string{}}
	var out *C.char
	status := C.mona_client_new(text, &client.handle, &out)
	if _, err := take(status, out); err != nil {
		return nil, err
	}
	// Freeing delivers what is still enqueued, which the garbage collector must not wait for.
	runtime.SetFinalizer(client, func(client *Client) { go C.mona_client_free(client.handle) })
	return client, nil
}

// Active tells whether the client is logged in.
func (c *Client) Active() bool {
	defer runtime.KeepAlive(c)
	return C.mona_client_is_active(c.handle) == 1
}

// Export sends messages and waits for the answer, or for the end of the context: then the call goes on by itself. A context that
// has ended already sends nothing. Messages are a Message, a slice of them, anything that becomes such JSON, or JSON text (string,
// []byte, json.RawMessage), which goes through byte for byte. Nil is no messages.
func (c *Client) Export(ctx context.Context, messages any, options *Options) (*Document, error) {
	defer runtime.KeepAlive(c)
	payload, text, err := inputs(messages, "[]", options)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(text))
	return c.await(ctx, func(tag C.uint64_t, out **C.char) C.mona_status {
		return C.mona_export_json_async(c.handle, start(payload), C.int64_t(len(payload)), text, tag, out)
	})
}

// Service calls a service of docs/services.md and waits as Export does. The arguments are a map, a struct, JSON text, or nil for none.
func (c *Client) Service(ctx context.Context, name string, arguments any, options *Options) (*Document, error) {
	defer runtime.KeepAlive(c)
	payload, text, err := inputs(arguments, "{}", options)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(text))
	service, err := terminated("service", name)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(service))
	return c.await(ctx, func(tag C.uint64_t, out **C.char) C.mona_status {
		return C.mona_service_call_async(c.handle, service, start(payload), C.int64_t(len(payload)), text, tag, out)
	})
}

// await starts a call, unless the context has ended, and waits for its event.
func (c *Client) await(ctx context.Context, begin func(C.uint64_t, **C.char) C.mona_status) (*Document, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	events := make(chan string, 1)
	if err := c.begin(begin, events); err != nil {
		return nil, err
	}
	select {
	case event := <-events:
		return parse(nil, event)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Client) begin(begin func(C.uint64_t, **C.char) C.mona_status, events chan<- string) error {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.tag++
	var out *C.char
	status := begin(C.uint64_t(c.tag), &out)
	if _, err := take(status, out); err != nil {
		return err
	}
	c.waiting[c.tag] = events
	if len(c.waiting) == 1 {
		go c.collect()
	}
	return nil
}

// collect hands events to those who wait for them, for as long as there are any: so an idle client has no goroutine, and can be
// collected.
func (c *Client) collect() {
	for more := true; more; {
		var tag C.uint64_t
		var out *C.char
		C.mona_poll(c.handle, -1, &tag, &out)
		event := text(out)
		c.lock.Lock()
		if waiting, ok := c.waiting[uint64(tag)]; ok {
			waiting <- event
			delete(c.waiting, uint64(tag))
		}
		more = len(c.waiting) > 0
		c.lock.Unlock()
	}
}

// Enqueue accepts messages and returns at once; libmona delivers them. Messages are as for Export.
func (c *Client) Enqueue(messages any, options *Options) (*Document, error) {
	defer runtime.KeepAlive(c)
	payload, text, err := inputs(messages, "[]", options)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(text))
	var out *C.char
	status := C.mona_enqueue_json(c.handle, start(payload), C.int64_t(len(payload)), text, &out)
	return take(status, out)
}

// Flush waits until all that was enqueued before is settled, or the context is done. One that is cancelled before its deadline leaves
// a thread that waits on.
func (c *Client) Flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	flushed := make(chan error, 1)
	go func() {
		defer runtime.KeepAlive(c)
		var out *C.char
		status := C.mona_flush(c.handle, left(ctx), &out)
		document, err := take(status, out)
		if err == nil && document.Status == Timeout {
			err = context.DeadlineExceeded
		}
		flushed <- err
	}()
	select {
	case err := <-flushed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// left is how long C may wait: to the context's deadline, in milliseconds; -1 if it has none, 0 if it has ended.
func left(ctx context.Context) C.int64_t {
	if ctx.Err() != nil {
		return 0
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		return -1
	}
	if wait := time.Until(deadline).Milliseconds(); wait > 0 {
		return C.int64_t(wait)
	}
	return 0
}

// Close delivers what is enqueued until the context's deadline, and does not wait if the context has ended; later calls give
// ErrClosed. The Document tells what was left. A program that enqueues calls it before it ends, because a Go program ends without libmona noticing.
func (c *Client) Close(ctx context.Context) (*Document, error) {
	defer runtime.KeepAlive(c)
	var out *C.char
	status := C.mona_client_close(c.handle, left(ctx), &out)
	return take(status, out)
}

// Stats tells how the background delivery is going, in the JSON text of docs/statistics.md.
func (c *Client) Stats() (json.RawMessage, error) {
	defer runtime.KeepAlive(c)
	var out *C.char
	status := C.mona_stats_json(c.handle, &out)
	document, err := take(status, out)
	if err != nil {
		return nil, err
	}
	return document.JSON, nil
}

// text copies what libmona gave away, and frees it.
func text(out *C.char) string {
	defer C.mona_string_free(out)
	return C.GoString(out)
}

// take makes a Document, or an Error, of what a call returned. The call is a statement of its own: among the arguments, Go might read
// out before it.
func take(status C.mona_status, out *C.char) (*Document, error) {
	number := int(status)
	return parse(&number, text(out))
}

// parse makes a Document, or an Error, of a call's JSON; an event has its status inside.
func parse(status *int, text string) (*Document, error) {
	var found struct {
		Document
		EventStatus int `json:"status"`
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return nil, fmt.Errorf("libmona's answer: %w", err)
	}
	document := &found.Document
	document.JSON = json.RawMessage(text)
	document.Status = found.EventStatus
	if status != nil {
		document.Status = *status
	}
	if document.Status < 0 {
		return nil, &Error{document.Status, document.ErrorKind, document.ErrorMessage, document.Retriable, document.JSON}
	}
	return document, nil
}

// marshal makes JSON of a value; JSON text stays as it is.
func marshal(value any) ([]byte, error) {
	switch value := value.(type) {
	case string:
		return []byte(value), nil
	case []byte:
		return value, nil
	case json.RawMessage:
		return value, nil
	}
	return json.Marshal(value)
}

// terminated is text for C to read, up to its first NUL, and to free.
func terminated(name, text string) (*C.char, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return nil, &Error{Status: ErrInvalidArgument.Status, Kind: "invalid_argument", Message: name + " must not contain NUL"}
	}
	return C.CString(text), nil
}

// optional is NULL, or JSON for C to free.
func optional(name string, value any) (*C.char, error) {
	if missing(value) {
		return nil, nil
	}
	text, err := marshal(value)
	if err != nil {
		return nil, err
	}
	return terminated(name, string(text))
}

// missing tells nothing, a nil slice or a nil map: JSON would say null.
func missing(value any) bool {
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Slice, reflect.Map:
		return v.IsNil()
	}
	return false
}

func inputs(payload any, none string, options *Options) ([]byte, *C.char, error) {
	if missing(payload) {
		payload = none
	}
	bytes, err := marshal(payload)
	if err != nil || options == nil {
		return bytes, nil, err
	}
	if options.JSON != "" {
		text, err := terminated("options", options.JSON)
		return bytes, text, err
	}
	text, err := optional("options", options)
	return bytes, text, err
}

var nothing = []byte{0}

// start is the address of the bytes, never NULL.
func start(bytes []byte) *C.char {
	if len(bytes) == 0 {
		bytes = nothing
	}
	return (*C.char)(unsafe.Pointer(&bytes[0]))
}
