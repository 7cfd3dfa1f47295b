# The cases of tests/vectors.txt.

require_relative "support"

class TestVectors < Minitest::Test
  EXPECTED = %w[status document request].freeze

  # Each case as pairs of a key and a text; the first has what stands before all cases.
  def cases
    lines = File.read("#{ROOT}/tests/vectors.txt", encoding: "UTF-8").split("\n")
    lines = lines.reject { |line| line.empty? || line.start_with?("#") }
    lines.map { |line| [line[/\A\S+/], line[/ (.*)/m, 1] || ""] }.slice_before { |key, _| key == "case" }.to_a
  end

  def outcome(given, config)
    Sandbox.reset(given.fetch("answer", "[]"))
    client = Mona::Client.new(given.fetch("config", config))
    document = call(client, given)
    requests = Sandbox.requests.map { |request| ["request", "#{request['path']} #{request['text']}"] }
    [["status", document.status.to_s], ["document", document.json], *requests]
  end

  def call(client, given)
    return client.export(given["input"], given["options"]) if given["call"] == "export"

    client.service(given["call"], given["input"], given["options"])
  rescue Mona::Error => error
    error.document
  end

  def test_every_case
    head, *cases = self.cases
    assert_operator cases.size, :>=, 200
    cases.each do |given|
      expected = given.select { |key, _| EXPECTED.include?(key) }
      assert_equal expected, outcome(given.to_h, head.to_h["config"]), given.first.last
    end
  end
end
