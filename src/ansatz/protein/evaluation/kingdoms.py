"""The kingdom that a record belongs to, as far as its name tells.

The name of a UniProt entry ends in a code of its species, `INS_HUMAN`; a few common ones are known
here, half of the entries of a mixed sample of UniProt. UniRef has the name in `RepID=`. Other
headers may end in the kingdom itself, in brackets. The rest is unknown.
"""

import re
from collections.abc import Iterable

UNKNOWN = "unknown"
KINGDOMS = ("Archaea", "Bacteria", "Eukaryota", "Viruses")
_CODE = re.compile(r"[A-Z0-9]{1,10}_([A-Z0-9]{3,5})\b")
_BRACKETS = re.compile(r"\[(\w+)\]\s*$")

_SPECIES = {
    "Archaea": "9ARCH 9CREN 9EURY ARCFU HALSA METJA METTH PYRFU PYRHO SULAC SULSO",
    "Bacteria": (
        "9ACTN 9ACTO 9BACE 9BACI 9BACT 9BURK 9CHLA 9CHLR 9CYAN 9DELT 9ENTR 9FIRM 9GAMM 9LACO "
        "9MOLU 9MYCO 9PROT 9PSED 9RHIZ 9RHOB 9RICK 9SPIR 9SYNE 9THEM 9XANT ANAPH BACFG BACIU BACSU "
        "CAMJE CAMJU CHLPS ECOLI ECOLX ENTFL HELPX HELPY KLEPN LACLC LACLL LEPIR MYCTU MYCTX NEIME "
        "PEPDI PROMR PSEAE PSEAI SALET SALTY STAAU STRAG STREE TREDN TREPA TREPL UREPR UREUR VIBCH "
        "VIBCL"
    ),
    "Eukaryota": (
        "9BILA 9BRAS 9CETA 9EURO 9ORYZ 9ROSA 9ROSI AILME ARAAL ARALL ARATH BOVIN BRANA BRAOL BRARP "
        "CAEBE CAEBR CAEEL CAEJA CAERE CALJA CANAL CANAX CANLF CAVPO CHICK CHLSB CITSI CRIGR CUCSA "
        "DANRE DICDI DROER DROME DROMO DROPS DROSE DROSI DROVI DROYA EUTSA FELCA FUNHE GLYSO GORGO "
        "GOSRA HETGA HORSE HUMAN ICTTR LOXAF MACFA MACMU MAIZE MEDTR MONDO MOUSE MUSPF MYOLU NOMLE "
        "ORYSI ORYSJ OTOGA PANTR PAPAN PHAAN PHAVU PIG PONAB POPTR PRUPE RABIT RAT RICCO SCHPO "
        "SHEEP SOLTU SOYBN TAKRU THECC VITVI WHEAT XENLA XENTR YEAST YEASX"
    ),
    "Viruses": "9ALPH 9CAUD 9FLAV 9HIV1 9INFA 9PAPI 9REOV 9VIRU ASF EBVG HCMV HCMVA HHV8 VACCW",
}
CODES = {code: kingdom for kingdom, codes in _SPECIES.items() for code in codes.split()}


def kingdoms(names: Iterable[str]) -> list[str]:
    """The kingdoms of records.

    Args:
        names: Headers or their first words, or `RepID`s.

    Returns:
        For each what its brackets say, else one of `KINGDOMS`, else `UNKNOWN`.
    """
    return [_kingdom(name) for name in names]


def _kingdom(name: str) -> str:
    if said := _BRACKETS.search(name):
        return said[1]
    code = _CODE.search(name)
    return CODES.get(code[1], UNKNOWN) if code else UNKNOWN
