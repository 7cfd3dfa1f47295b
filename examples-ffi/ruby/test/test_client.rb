# What a program in Ruby sees: values, errors, background export.

require "minitest/mock"
require_relative "support"

class TestClient < Minitest::Test
  def setup
    Sandbox.reset
    @client = Mona::Client.new
  end

  def test_a_message_arrives_as_it_was_given
    fields = { "größe" => "💶", "big" => 12_345_678_901_234_567_890, "none" => nil, "deep" => { "x" => [1.5] } }
    document = @client.export({ message: fields, contextClass: "LOANS" })
    assert_predicate document, :success?
    assert_equal 1, document["sent"]
    assert_equal [fields], Sandbox.messages.map { |message| message["message"] }
  end

  def test_a_message_may_be_deep_and_one_that_is_too_deep_fails_by_itself
    deep = ->(levels) { { message: { a: levels.times.inject(1) { |inner, _| [inner] } }, contextClass: "LOANS" } }
    document = @client.export([deep.(900), deep.(1001)])
    assert_equal [1, 1], document.to_h.values_at("sent", "failed")
  end

  def test_json_text_goes_through_digit_by_digit
    @client.export(%({"message":{"x":1.10},"contextClass":"LOANS"}))
    assert_includes Sandbox.requests.first["text"], '{"x":1.10}'
  end

  def test_a_failure_that_is_not_to_be_raised_is_a_document
    document = Mona::Client.new(override_rest_api_host: "127.0.0.1:1").export(MESSAGE)
    refute_predicate document, :success?
    assert_equal 1, document.status
    assert_equal "connection", document["error_kind"]
  end

  def test_negative_statuses_are_raised
    assert_match(/byte 0/, assert_raises(Mona::InvalidArgumentError) { @client.export("x") }.message)
    assert_match(/api_key/, assert_raises(Mona::InitializationError) { Mona::Client.new(api_kee: 1) }.message)
    down = { raise_export_exceptions: true, raise_service_exceptions: true,
             override_rest_api_host: "127.0.0.1:1", override_app_server_host: "127.0.0.1:1" }
    client = Mona::Client.new(**down)
    error = assert_raises(Mona::ExportError) { client.export(MESSAGE) }
    assert_equal ["connection", true, -4], [error.kind, error.retriable?, error.status]
    assert_raises(Mona::ServiceError) { client.service("get_config") }
    assert_raises(Mona::ServiceError) { client.service_async("get_config").value }
    client.close
    assert_raises(Mona::ClosedError) { client.export(MESSAGE) }
    assert_raises(Mona::ClosedError) { client.export_async(MESSAGE) }
  end

  def test_a_login_that_is_refused_is_raised
    Sandbox.reset([{ path: "*/api-token", status: 401, json: { errors: ["no"] } }])
    assert_raises(Mona::AuthenticationError) do
      Mona::Client.new(api_key: "another", raise_authentication_exceptions: true)
    end
  end

  def test_a_login_that_was_refused_and_is_not_raised_is_no_success
    Sandbox.reset([{ path: "*/api-token", status: 401, json: { errors: ["no"] } }])
    document = Mona::Client.new(api_key: "a third").document
    assert_equal [0, false, false], [document.status, document["success"], document.success?]
  end

  def test_a_text_that_c_would_cut_off_is_an_argument_error
    calls = { "config" => -> { Mona::Client.new("{}\0") },
              "service" => -> { @client.service("get_config\0x") },
              "options" => -> { @client.export([], "{}\0x") } }
    calls.each { |name, call| assert_match(/\A#{name} .*NUL/, assert_raises(ArgumentError, &call).message) }
    assert_empty Sandbox.requests
  end

  def test_a_text_that_changes_during_the_call_was_copied
    text = JSON.generate(MESSAGE)
    call = Mona::Library.method(:call)
    Mona::Library.stub(:call, ->(*arguments) { text.replace("x") && call.(*arguments) }) { @client.export(text) }
    assert_equal [{ "a" => 1 }], Sandbox.messages.map { |message| message["message"] }
  end

  def test_a_service_answers
    Sandbox.reset([{ path: "/insights", json: { response_data: [{ score: 0.5 }] } }])
    document = @client.service("get_insights", { context_class: "LOANS", min_segment_size: 1 })
    assert_equal [{ "score" => 0.5 }], document["data"]
  end

  def test_what_is_enqueued_arrives
    assert_equal 10, @client.enqueue([MESSAGE] * 10)["accepted"]
    assert @client.flush(30)
    assert_equal [10, 10], [@client.stats["delivered"], Sandbox.messages.size]
  end

  def test_no_room_is_an_error
    assert_raises(Mona::QueueFullError) { Mona::Client.new(queue: { max_messages: 2 }).enqueue([MESSAGE] * 3) }
  end

  def test_flush_tells_that_the_time_was_up
    Sandbox.reset([{ path: "/export", status: 503 }])
    client = Mona::Client.new(queue: { free_timeout_ms: 0 })
    client.enqueue(MESSAGE)
    refute client.flush(0)
    assert_equal 1, client.close(0)["undelivered"]
  end

  # What C is given as a time-out for each of these; it does not wait for any of them here.
  def given_to_c(method, timeouts)
    given = []
    call = Mona::Library.method(:call)
    waitless = lambda do |name, client, milliseconds = nil, *rest|
      given << milliseconds if milliseconds
      call.(name, client, *(0 if milliseconds), *rest)
    end
    Mona::Library.stub(:call, waitless) { timeouts.each { |timeout| @client.public_send(method, timeout) } }
    given
  end

  def test_only_nil_and_infinity_wait_for_ever
    endless = [nil, Float::INFINITY]
    past = [-1, -0.5, -Float::INFINITY, Rational(-1, 3), -(10**40)]
    future = [1.5, Rational(1, 4), 10**40, Float::MAX]
    %i[flush close].each do |method|
      assert_equal [-1, -1], given_to_c(method, endless)
      assert_equal [0] * 5, given_to_c(method, past)
      milliseconds = given_to_c(method, future)
      assert_equal [1500, 250], milliseconds.first(2)
      milliseconds.last(2).each { |long| assert_includes (2**62)...(2**63), long }
    end
  end

  def test_a_time_out_that_is_no_number_is_an_argument_error
    ["1", Float::NAN, Complex(1, 1), :soon, [1]].each do |timeout|
      %i[flush close].each do |method|
        assert_match(/time-out .*#{Regexp.escape(timeout.inspect)}/, assert_raises(ArgumentError) { @client.public_send(method, timeout) }.message)
      end
    end
    assert_predicate @client.export([]), :success?
  end
end
