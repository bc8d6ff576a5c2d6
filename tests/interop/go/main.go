// Checks our notes and proofs with golang.org/x/mod/sumdb, which we did not write.
//
// Reads one question a line, as JSON with bytes in base64.
// Prints one line for each: "ok", or "refused: " and why. Changes when there is another
// thing to have checked.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Kind    string   // "note", "record", "tree" or "root"
	Note    string   // note: the signed head
	Vkeys   []string // note: who may have signed it
	Size    int64    // the tree's
	Root    []byte
	Index   int64  // record: the leaf's
	Leaf    []byte // record: its hash
	Old     int64  // tree: the older size
	OldRoot []byte
	Proof   [][]byte
	Data    [][]byte // root: the records of a whole tree
}

func hash(data []byte) (found tlog.Hash, err error) {
	if len(data) != tlog.HashSize {
		return found, errors.New("not a hash")
	}
	copy(found[:], data)
	return found, nil
}

func hashes(proof [][]byte) ([]tlog.Hash, error) {
	found := []tlog.Hash{}
	for _, data := range proof {
		one, err := hash(data)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

// checkNote opens the note and reads its three lines: tlog.ParseTree knows only the origin of go.sum.
func checkNote(q question) error {
	verifiers := []note.Verifier{}
	for _, vkey := range q.Vkeys {
		verifier, err := note.NewVerifier(vkey)
		if err != nil {
			return err
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open([]byte(q.Note), note.VerifierList(verifiers...))
	if err != nil {
		return err
	}
	if len(opened.Sigs) != len(verifiers) {
		return fmt.Errorf("%d signatures of %d", len(opened.Sigs), len(verifiers))
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != verifiers[0].Name() {
		return errors.New("not three lines under the name of the key")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size != q.Size {
		return errors.New("another size")
	}
	if lines[2] != base64.StdEncoding.EncodeToString(q.Root) {
		return errors.New("another root")
	}
	return nil
}

// checkRoot computes the tree from its records, the way the Go checksum database stores it.
func checkRoot(q question) error {
	stored := []tlog.Hash{}
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := []tlog.Hash{}
		for _, index := range indexes {
			found = append(found, stored[index])
		}
		return found, nil
	})
	for n, data := range q.Data {
		more, err := tlog.StoredHashes(int64(n), data, reader)
		if err != nil {
			return err
		}
		stored = append(stored, more...)
	}
	root, err := tlog.TreeHash(int64(len(q.Data)), reader)
	if err != nil {
		return err
	}
	if string(root[:]) != string(q.Root) {
		return errors.New("another root")
	}
	return nil
}

func check(q question) error {
	switch q.Kind {
	case "note":
		return checkNote(q)
	case "root":
		return checkRoot(q)
	}
	proof, err := hashes(q.Proof)
	if err != nil {
		return err
	}
	root, err := hash(q.Root)
	if err != nil {
		return err
	}
	switch q.Kind {
	case "record":
		leaf, err := hash(q.Leaf)
		if err != nil {
			return err
		}
		return tlog.CheckRecord(proof, q.Size, root, q.Index, leaf)
	case "tree":
		old, err := hash(q.OldRoot)
		if err != nil {
			return err
		}
		return tlog.CheckTree(proof, q.Size, root, q.Old, old)
	}
	return fmt.Errorf("no question of kind %q", q.Kind)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var q question
		err := json.Unmarshal(lines.Bytes(), &q)
		if err == nil {
			err = check(q)
		}
		if err != nil {
			fmt.Println("refused:", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("ok")
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
