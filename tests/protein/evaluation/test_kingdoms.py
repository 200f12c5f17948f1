import gzip

from ansatz.protein.evaluation.kingdoms import UNKNOWN, kingdoms


def test_a_name_tells_the_kingdom_by_the_code_of_its_species():
    names = ["sp|P01308|INS_HUMAN", "tr|W0FSK4|W0FSK4_9FLAV", "RECA_ECOLI", "sp|O57809|X_PYRHO"]
    assert kingdoms(names) == ["Eukaryota", "Viruses", "Bacteria", "Archaea"]


def test_the_name_of_uniref_is_in_its_header():
    header = "UniRef50_Q8WZ42 Titin n=2 Tax=Homo sapiens RepID=TITIN_HUMAN"
    assert kingdoms([header, "TITIN_HUMAN"]) == ["Eukaryota", "Eukaryota"]


def test_brackets_say_it_themselves():
    headers = ["sp|O57809 Putative deaminase [Archaea]", "sp|Q85PQ8 chain 2 [Mitochondria]"]
    assert kingdoms(headers) == ["Archaea", "Mitochondria"]


def test_an_id_without_a_species_tells_nothing():
    names = ["UniRef90_A0A086W9Y8", "UniRef90_Q12345", "sp|P01308", "X_9ZZZZ", ""]
    assert kingdoms(names) == [UNKNOWN] * 5


def test_entries_of_viruses_are_told_from_others(shared):
    with gzip.open(shared / "uniprotkb_mixed.fasta.gz", "rt") as file:
        headers = [line[1:] for line in file if line.startswith(">")]
    found = kingdoms(header.split()[0] for header in headers)
    assert found.count(UNKNOWN) < 0.6 * len(found)
    organisms = [header.partition("OS=")[2].split(" GN=")[0] for header in headers]
    named = [k for k, name in zip(found, organisms, strict=True) if " virus" in name]
    assert named.count("Viruses") > 50
    assert set(named) <= {"Viruses", UNKNOWN}
    human = [k for k, name in zip(found, organisms, strict=True) if name.startswith("Homo sapiens")]
    assert set(human) == {"Eukaryota"}
