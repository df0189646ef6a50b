// Command foreign-log checks and makes transparency logs with golang.org/x/mod/sumdb/{note,tlog}: an implementation
// that shares nothing with ours. It prints one JSON document and exits 0, or a reason and exits 1.
//
//	foreign-log read URL VKEY SIZE...     a registry over HTTP: checkpoint, tiles, entries, proofs
//	foreign-log bundle URL VKEY           the inclusion proofs of the bundle at this address
//	foreign-log open FILE VKEY            a signed note
//	foreign-log make FOLDER ORIGIN SIZE…  a log of its own, as static tiles, with proofs between the sizes
//	foreign-log prove SIZE FILE…          roots and proofs over level-0 tiles in files
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	commands := map[string]func([]string) (interface{}, error){
		"read": read, "bundle": bundle, "open": open, "make": makeLog, "prove": prove,
	}
	if len(os.Args) < 3 || commands[os.Args[1]] == nil {
		fail(errors.New("usage"))
	}
	result, err := commands[os.Args[1]](os.Args[2:])
	if err != nil {
		fail(err)
	}
	json.NewEncoder(os.Stdout).Encode(result)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A checkpoint whose note the log's key has signed.
type checkpoint struct {
	Origin   string `json:"origin"`
	Size     int64  `json:"size"`
	Root     string `json:"root"`
	Verified int    `json:"verified"`
	Others   int    `json:"others"`
	tree     tlog.Tree
}

func openCheckpoint(text []byte, vkey string) (*checkpoint, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, fmt.Errorf("vkey: %v", err)
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return nil, fmt.Errorf("note: %v", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != verifier.Name() {
		return nil, errors.New("note: not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return nil, err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return nil, err
	}
	return &checkpoint{lines[0], size, lines[2], len(opened.Sigs), len(opened.UnverifiedSigs), tlog.Tree{N: size, Hash: root}}, nil
}

func open(args []string) (interface{}, error) {
	text, err := os.ReadFile(args[0])
	if err != nil {
		return nil, err
	}
	return openCheckpoint(text, args[1])
}

// The paths of tlog-tiles: without the height, and entries instead of data.
func tilePath(t tlog.Tile) string {
	path := strings.Replace(t.Path(), "tile/8/", "tile/", 1)
	return strings.Replace(path, "tile/data/", "tile/entries/", 1)
}

type tiles struct {
	base string
	kept map[string][]byte
}

func (t *tiles) Height() int { return height }

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		path := tilePath(tile)
		if t.kept[path] == nil {
			data, err := get(t.base + "/log/" + path)
			if err != nil {
				return nil, err
			}
			t.kept[path] = data
		}
		all = append(all, t.kept[path])
	}
	return all, nil
}

func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func get(url string) ([]byte, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		return nil, fmt.Errorf("%s answered %d", url, response.StatusCode)
	}
	return io.ReadAll(response.Body)
}

type readResult struct {
	*checkpoint
	Tiles       int `json:"tiles"`
	Entries     int `json:"entries"`
	Inclusions  int `json:"inclusions"`
	Consistency int `json:"consistency"`
	Refused     int `json:"refused"`
}

func read(args []string) (interface{}, error) {
	base, vkey := args[0], args[1]
	text, err := get(base + "/log/checkpoint")
	if err != nil {
		return nil, err
	}
	at, err := openCheckpoint(text, vkey)
	if err != nil {
		return nil, err
	}
	result := &readResult{checkpoint: at}
	leaves, err := checkEntries(base, at.tree, result)
	if err != nil {
		return nil, err
	}
	source := &tiles{base, map[string][]byte{}}
	if err := checkTiles(source, at.tree, leaves, result); err != nil {
		return nil, err
	}
	// It reads the proofs below from the registry's tiles alone.
	reader := tlog.TileHashReader(at.tree, source)
	if err := checkInclusion(at.tree, leaves, reader, result); err != nil {
		return nil, err
	}
	for _, arg := range args[2:] {
		from, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return nil, err
		}
		if err := checkConsistency(base, from, at.tree, reader, result); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// Every entry, from the entry bundles: together they make the tree of the checkpoint.
func checkEntries(base string, tree tlog.Tree, result *readResult) ([]tlog.Hash, error) {
	var leaves []tlog.Hash
	for n := int64(0); n<<height < tree.N; n++ {
		data, err := get(base + "/log/" + tilePath(tlog.Tile{H: height, L: -1, N: n, W: widthOf(tree.N, n)}))
		if err != nil {
			return nil, err
		}
		for len(data) >= 2 {
			length := int(binary.BigEndian.Uint16(data))
			if len(data) < 2+length {
				return nil, errors.New("entries: cut off")
			}
			leaves = append(leaves, tlog.RecordHash(data[2:2+length]))
			data = data[2+length:]
		}
	}
	if int64(len(leaves)) != tree.N {
		return nil, fmt.Errorf("entries: %d of %d", len(leaves), tree.N)
	}
	reader, err := store(leaves)
	if err != nil {
		return nil, err
	}
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return nil, err
	}
	if root != tree.Hash {
		return nil, errors.New("entries: they make another tree")
	}
	result.Entries = len(leaves)
	return leaves, nil
}

// Entries or hashes of tile n, of count in all.
func widthOf(count, n int64) int {
	if rest := count - n<<height; rest < 1<<height {
		return int(rest)
	}
	return 1 << height
}

// Every tile of this size, byte for byte as computed here from the leaves. (The tile reader of this package is not asked
// to find false tiles: its older versions leave out some that do not stand on the edge of the tree.)
func checkTiles(source *tiles, tree tlog.Tree, leaves []tlog.Hash, result *readResult) error {
	reader, err := store(leaves)
	if err != nil {
		return err
	}
	for level, count := 0, tree.N; count > 0; level, count = level+1, count>>height {
		for n := int64(0); n<<height < count; n++ {
			tile := tlog.Tile{H: height, L: level, N: n, W: widthOf(count, n)}
			own, err := tlog.ReadTileData(tile, reader)
			if err != nil {
				return err
			}
			theirs, err := source.ReadTiles([]tlog.Tile{tile})
			if err != nil {
				return err
			}
			if !bytes.Equal(own, theirs[0]) {
				return fmt.Errorf("tiles: %s is another one", tile.Path())
			}
			result.Tiles++
		}
	}
	return nil
}

// All hashes of the tree over these leaves.
func store(leaves []tlog.Hash) (tlog.HashReader, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	for n, leaf := range leaves {
		hashes, err := tlog.StoredHashesForRecordHash(int64(n), leaf, reader)
		if err != nil {
			return nil, err
		}
		stored = append(stored, hashes...)
	}
	return reader, nil
}

// Proofs made from the tiles lead to the root, and a proof leads nowhere for another leaf or another place.
func checkInclusion(tree tlog.Tree, leaves []tlog.Hash, reader tlog.HashReader, result *readResult) error {
	for i := int64(0); i < tree.N; i++ {
		proof, err := tlog.ProveRecord(tree.N, i, reader)
		if err != nil {
			return fmt.Errorf("inclusion: %v", err)
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, i, leaves[i]); err != nil {
			return fmt.Errorf("inclusion: %v", err)
		}
		result.Inclusions++
		other := (i + 1) % tree.N
		if tlog.CheckRecord(proof, tree.N, tree.Hash, i, leaves[other]) == nil ||
			tlog.CheckRecord(proof, tree.N, tree.Hash, other, leaves[i]) == nil {
			return errors.New("inclusion: a proof holds for another leaf")
		}
		result.Refused += 2
	}
	return nil
}

// The registry's own consistency proof, against the trees that the tiles make, and byte for byte as computed here.
func checkConsistency(base string, from int64, tree tlog.Tree, reader tlog.HashReader, result *readResult) error {
	body, err := get(fmt.Sprintf("%s/v1/consistency?from=%d&to=%d", base, from, tree.N))
	if err != nil {
		return err
	}
	var answer struct {
		From, To int64
		Proof    []tlog.Hash
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	older, err := tlog.TreeHash(from, reader)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(answer.Proof, tree.N, tree.Hash, from, older); err != nil {
		return fmt.Errorf("consistency: %v", err)
	}
	own, err := tlog.ProveTree(tree.N, from, reader)
	if err != nil {
		return err
	}
	if fmt.Sprint(own) != fmt.Sprint(tlog.TreeProof(answer.Proof)) {
		return errors.New("consistency: another proof than ours")
	}
	result.Consistency++
	if tlog.CheckTree(answer.Proof, tree.N, tree.Hash, from, tree.Hash) == nil && from != tree.N {
		return errors.New("consistency: a proof holds for another past")
	}
	result.Refused++
	return nil
}

func bundle(args []string) (interface{}, error) {
	body, err := get(args[0])
	if err != nil {
		return nil, err
	}
	var evidence struct {
		Checkpoint string
		Events     []struct {
			Index int64
			Event string
			Proof []tlog.Hash
		}
	}
	if err := json.Unmarshal(body, &evidence); err != nil {
		return nil, err
	}
	at, err := openCheckpoint([]byte(evidence.Checkpoint), args[1])
	if err != nil {
		return nil, err
	}
	for _, leaf := range evidence.Events {
		hash := tlog.RecordHash([]byte(leaf.Event))
		if err := tlog.CheckRecord(leaf.Proof, at.tree.N, at.tree.Hash, leaf.Index, hash); err != nil {
			return nil, fmt.Errorf("inclusion: %v", err)
		}
	}
	return map[string]interface{}{"size": at.Size, "events": len(evidence.Events)}, nil
}

type treeProof struct {
	From  int64       `json:"from"`
	To    int64       `json:"to"`
	Proof []tlog.Hash `json:"proof"`
}

type recordProof struct {
	Index int64       `json:"index"`
	Size  int64       `json:"size"`
	Proof []tlog.Hash `json:"proof"`
}

// Everything that can be said of a log at some sizes.
type statement struct {
	Vkey        string              `json:"vkey,omitempty"`
	Checkpoints []string            `json:"checkpoints,omitempty"`
	Roots       map[int64]tlog.Hash `json:"roots"`
	Consistency []treeProof         `json:"consistency"`
	Inclusion   []recordProof       `json:"inclusion"`
}

func stateAll(sizes []int64, reader tlog.HashReader) (*statement, error) {
	said := &statement{Roots: map[int64]tlog.Hash{}}
	for i, size := range sizes {
		root, err := tlog.TreeHash(size, reader)
		if err != nil {
			return nil, err
		}
		said.Roots[size] = root
		for _, from := range sizes[:i] {
			proof, err := tlog.ProveTree(size, from, reader)
			if err != nil {
				return nil, err
			}
			said.Consistency = append(said.Consistency, treeProof{from, size, proof})
		}
		for _, index := range []int64{0, size / 3, size / 2, size - 1} {
			proof, err := tlog.ProveRecord(size, index, reader)
			if err != nil {
				return nil, err
			}
			said.Inclusion = append(said.Inclusion, recordProof{index, size, proof})
		}
	}
	return said, nil
}

func parseSizes(args []string) ([]int64, error) {
	var sizes []int64
	for _, arg := range args {
		size, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return nil, err
		}
		sizes = append(sizes, size)
	}
	return sizes, nil
}

// A log of the entries "entry 0", "entry 1", …: checkpoints, tiles and entries at each of the sizes.
func makeLog(args []string) (interface{}, error) {
	folder, origin := args[0], args[1]
	sizes, err := parseSizes(args[2:])
	if err != nil {
		return nil, err
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, err
	}
	var leaves []tlog.Hash
	var checkpoints []string
	size := int64(0)
	for _, next := range sizes {
		for n := size; n < next; n++ {
			leaves = append(leaves, tlog.RecordHash(entry(n)))
		}
		reader, err := store(leaves)
		if err != nil {
			return nil, err
		}
		if err := writeTiles(folder, size, next, reader); err != nil {
			return nil, err
		}
		root, err := tlog.TreeHash(next, reader)
		if err != nil {
			return nil, err
		}
		text := fmt.Sprintf("%s\n%d\n%s\n", origin, next, base64.StdEncoding.EncodeToString(root[:]))
		signed, err := note.Sign(&note.Note{Text: text}, signer)
		if err != nil {
			return nil, err
		}
		checkpoints = append(checkpoints, string(signed))
		size = next
	}
	reader, err := store(leaves)
	if err != nil {
		return nil, err
	}
	said, err := stateAll(sizes, reader)
	if err != nil {
		return nil, err
	}
	said.Vkey, said.Checkpoints = vkey, checkpoints
	return said, nil
}

func entry(n int64) []byte {
	return []byte(fmt.Sprintf("entry %d", n))
}

func writeTiles(folder string, from, to int64, reader tlog.HashReader) error {
	for _, tile := range tlog.NewTiles(height, from, to) {
		data, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			return err
		}
		if err := write(folder, tile, data); err != nil {
			return err
		}
		if tile.L != 0 {
			continue
		}
		var entries []byte
		for i := int64(0); i < int64(tile.W); i++ {
			text := entry(tile.N<<height + i)
			entries = append(entries, byte(len(text)>>8), byte(len(text)))
			entries = append(entries, text...)
		}
		tile.L = -1
		if err := write(folder, tile, entries); err != nil {
			return err
		}
	}
	return nil
}

func write(folder string, tile tlog.Tile, data []byte) error {
	path := filepath.Join(folder, filepath.FromSlash(tilePath(tile)))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// What this implementation computes over the leaf hashes of another log.
func prove(args []string) (interface{}, error) {
	split := 0
	for split < len(args) {
		if _, err := strconv.ParseInt(args[split], 10, 64); err != nil {
			break
		}
		split++
	}
	sizes, err := parseSizes(args[:split])
	if err != nil {
		return nil, err
	}
	var leaves []tlog.Hash
	for _, file := range args[split:] {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for ; len(data) >= tlog.HashSize; data = data[tlog.HashSize:] {
			var leaf tlog.Hash
			copy(leaf[:], data)
			leaves = append(leaves, leaf)
		}
	}
	reader, err := store(leaves)
	if err != nil {
		return nil, err
	}
	return stateAll(sizes, reader)
}
