// Fuzz test: trains on and encodes random documents, and compares the encoder with applying the merges one after
// another. Meant for the sanitizers:
//
//   g++ -std=c++17 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover -Inative/bpe/src
//     native/bpe/fuzz/fuzz.cpp native/bpe/src/{pieces,train,encode,cuts,documents}.cpp -o /tmp/fuzz && /tmp/fuzz SEED
//     ROUNDS
//
// The first difference ends it with a message and exit code 1. addon.cpp is not covered.
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>

#include "documents.hpp"
#include "encode.hpp"
#include "train.hpp"

using namespace bpe;

namespace {

// Encodes a piece by definition: applies the merges by rank, each from left to right.
std::vector<uint32_t> encodeByMerges(const std::vector<Merge>& merges, const uint8_t* piece, size_t length) {
  std::vector<uint32_t> symbols;
  for (size_t i = 0; i < length; i++) symbols.push_back(kBytes.symbolOf[piece[i]]);
  for (size_t k = 0; k < merges.size(); k++) {
    std::vector<uint32_t> merged;
    for (size_t i = 0; i < symbols.size(); i++) {
      const bool joins = i + 1 < symbols.size() && symbols[i] == merges[k].left && symbols[i + 1] == merges[k].right;
      merged.push_back(joins ? static_cast<uint32_t>(256 + k) : symbols[i]);
      i += joins;
    }
    symbols.swap(merged);
  }
  return symbols;
}

// Random bytes of an alphabet, or of all bytes if it is empty.
std::string randomText(std::mt19937& draw, const std::string& alphabet, size_t length) {
  std::string text;
  for (size_t i = 0; i < length; i++) {
    text += alphabet.empty() ? static_cast<char>(draw()) : alphabet[draw() % alphabet.size()];
  }
  return text;
}

const uint8_t* bytesOf(const std::string& text) { return reinterpret_cast<const uint8_t*>(text.data()); }

// Prints a difference and ends the program with exit code 1.
void fail(const char* message, int seed) {
  printf("%s, in the round with seed %d\n", message, seed);
  exit(1);
}

// One round: trains and checks DocumentEncoder, Cuts, and an Encoder of random merges.
void round(int seed) {
  std::mt19937 draw(seed);
  const std::string alphabets[] = {"a", "ab", "ab|", "abc|\n", "CDEFG234|/\n ", ""};
  const std::string& alphabet = alphabets[draw() % 6];
  const auto pretokenizer = static_cast<Pretokenizer>(draw() % 3);
  PieceCounter counter(pretokenizer);
  for (size_t n = draw() % 20; n > 0; n--) {
    const std::string document = randomText(draw, alphabet, draw() % (draw() % 10 == 0 ? 3000 : 100));
    counter.add(bytesOf(document), document.size());
  }
  TrainOptions options{static_cast<uint32_t>(draw() % 300), draw() % 4, {}};
  if (draw() % 4 == 0) options.forbidden.push_back(randomText(draw, alphabet, draw() % 5));
  std::atomic<int32_t> learned{0};
  const std::vector<Merge> merges = learnMerges(counter, options, learned);
  if (learned != static_cast<int32_t>(merges.size())) fail("progress is not the number of merges", seed);

  const Encoder encoder(merges);
  // Ids that differ from the symbols.
  std::vector<uint32_t> ids(encoder.symbolCount());
  for (uint32_t symbol = 0; symbol < ids.size(); symbol++) ids[symbol] = 1000 + 3 * symbol;
  const bool wide = draw() % 2;
  DocumentEncoder documents(encoder, ids.data(), wide, pretokenizer);
  for (int batch = 0; batch < 3; batch++) {
    std::vector<std::vector<uint8_t>> kept;
    std::vector<uint32_t> expected;
    for (int text = 0; text < 4; text++) {
      // Each document has a separate buffer, so that the sanitizer notices a read past its end. Freed at the end of the
      // batch.
      const std::string document = randomText(draw, draw() % 3 ? alphabet : "", draw() % 500);
      kept.emplace_back(bytesOf(document), bytesOf(document) + document.size());
      documents.encode(kept.back().data(), kept.back().size());
      eachPiece(kept.back().data(), kept.back().size(), pretokenizer, [&](const uint8_t* piece, size_t length) {
        for (const uint32_t symbol : encodeByMerges(merges, piece, length)) expected.push_back(ids[symbol]);
      });
    }
    const Ids& found = documents.ids();
    const auto equals = [&](auto* first) {
      return std::equal(expected.begin(), expected.end(), first, first + found.size());
    };
    if (!(wide ? equals(found.at<uint32_t>(0)) : equals(found.at<uint16_t>(0)))) fail("ids differ", seed);
    documents.clear();
  }

  // Encode the parts between cuts separately.
  const std::string text = randomText(draw, draw() % 3 ? alphabet : "", draw() % 500);
  const std::vector<uint8_t> bytes(bytesOf(text), bytesOf(text) + text.size());
  std::vector<uint32_t> joined;
  size_t from = 0;
  for (size_t position = Cuts::kReach; position <= bytes.size(); position++) {
    const bool ends = position == bytes.size();
    if (!ends && (position + Cuts::kReach > bytes.size() || !encoder.cuts().isCut(&bytes[position]))) continue;
    for (const uint32_t symbol : encodeByMerges(merges, &bytes[from], position - from)) joined.push_back(symbol);
    from = position;
  }
  if (bytes.size() >= Cuts::kReach && joined != encodeByMerges(merges, bytes.data(), bytes.size()))
    fail("a cut changes the encoding", seed);

  // Random merges, which training could not learn, are refused or give the right ids.
  std::vector<Merge> made;
  for (size_t k = draw() % 40; k > 0; k--) {
    const auto limit = static_cast<uint32_t>(256 + made.size());
    const auto any = [&] { return draw() % 2 ? kBytes.symbolOf['a' + draw() % 3] : draw() % (limit + draw() % 2); };
    made.push_back({static_cast<uint32_t>(any()), static_cast<uint32_t>(any())});
  }
  try {
    const Encoder odd(made);
    const std::string document = randomText(draw, "abc", 60);
    const std::vector<uint32_t> expected = encodeByMerges(made, bytesOf(document), document.size());
    // A scratch belongs to one encoder.
    Encoder::Scratch own(odd);
    const auto [symbols, count] = odd.encode(bytesOf(document), document.size(), own);
    if (!std::equal(expected.begin(), expected.end(), symbols, symbols + count)) fail("ids of odd merges differ", seed);
  } catch (const std::invalid_argument&) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int first = argc > 1 ? atoi(argv[1]) : 1, rounds = argc > 2 ? atoi(argv[2]) : 1000;
  for (int seed = first; seed < first + rounds; seed++) round(seed);
  printf("%d rounds, no difference\n", rounds);
}
