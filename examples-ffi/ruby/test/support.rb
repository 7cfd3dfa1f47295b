# The sandbox that scripts/with-sandbox started, and the wrapper.

require "json"
require "minitest/autorun"
require "net/http"
require_relative "../mona"

ROOT = File.expand_path("../../..", __dir__)
CALLS = Integer(ENV.fetch("MONA_CALLS", 100_000))
SLOW = [{ path: "/export", delay_ms: 500 }].freeze
MESSAGE = { message: { a: 1 }, contextClass: "LOANS", contextId: "id-1" }.freeze

module Sandbox
  module_function

  def ask(method, path, body = "")
    url = URI("#{ENV.fetch('MONA_SANDBOX_URL')}/sandbox/#{path}")
    headers = { "Content-Type" => "application/json" }
    JSON.parse(Net::HTTP.start(url.host, url.port) { |http| http.send_request(method, url.path, body, headers) }.body)
  end

  # The sandbox forgets everything, lets everybody in, and plays these rules (values, or text of JSON).
  def reset(rules = [])
    rules = JSON.generate(rules) unless rules.is_a?(String)
    ask("POST", "reset")
    ask("POST", "rules", %({"defaults":{"enforce_auth":false},"rules":#{rules}}))
  end

  # What arrived, but for logins.
  def requests = ask("GET", "requests").reject { |request| request["path"].include?("/auth/") }
  def messages = ask("GET", "messages").map { |message| message["message"] }
end
