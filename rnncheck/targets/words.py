"""What people call things, in lower-case letters without underscores and digits; a final s does not matter.

Collected from published implementations. Where a word stands under two roles, the role that comes first counts.
"""

import re

__all__ = ["ARGUMENTS", "LOSES", "PARAMETERS", "SIZES", "STATES", "TELLS", "Table"]

LOSES = re.compile(r"loss|cost|criterion|entropy|nll", re.IGNORECASE)
"""What a function is called that computes a loss."""
TELLS = re.compile(r"plot|print|show|smooth|save|load|init", re.IGNORECASE)
"""And what it is called if it only has to do with one."""

Table = dict[str, frozenset[str]]


def _table(**rows: str) -> Table:
    return {role: frozenset(words.split()) for role, words in rows.items()}


PARAMETERS = _table(
    W_xh="""
        wxh whx wax wxa wsx wxs u ux uh wx wih whi wi win winput winputhidden inputweight weightinput wihidden
        weightih weightxh wxhidden wixtoh kernel wix wxtoh inputhidden weightinputhidden wxi inputtohidden whinput
        wtsx e emb
    """,
    W_hh="""
        whh waa wss w wh wa ws wr wrec wrecurrent whiddenhidden hiddenweight weighthidden weighthh recurrentweight
        recurrentkernel wrnn hiddenhidden weighthiddenhidden whtoh whidden urec uhh rec recweight hiddentohidden wt
        wcontext
    """,
    W_hy="""
        why wyh wya way v wy wo who wout woh wys wsy outputweight weightoutput whiddenoutput weightho weighthy
        whoutput hiddenoutput weighthiddenoutput wv whq wz whv woutput vo wfc wlogit hiddentooutput wyo
        woutputhidden wtoy
    """,
    b_h="""
        bh ba b bx bi bs bhh bih bxh bhidden hiddenbiase hiddenbias biashidden biash bias biashh biasih brnn bu bw
        bhx brec be bin bhbias
    """,
    b_y="""
        by bo bv c bout boutput outputbias outputbiase biasoutput biasy biaso bhy byh bya bq bfc bho blogit biashy
        biasho
    """,
)
"""Parameters. Numbered layers (`W1`, `W2`, `W3`) count as input, recurrence, output."""

SIZES = _table(
    H="""
        hidden hiddensize hiddendim hiddenunit hiddennode hiddenlayersize hiddenlayer hiddenneuron hiddennum nhidden
        numhidden hiddenstatesize nhid nh na h hdim hsize hid hidsize hiddim statesize statedim unit nunit numunit
        rnnsize dh numhiddenunit neuron nneuron nstate dimhidden hiddenlen hiddendimension hiddencount sizehidden
        cellsize hiddenunitsize numneuron nbstate nbofstate nbhidden nbofhidden nbneuron
    """,
    V="""
        vocabsize vocabularysize vocablen vocab vocabdim nvocab numvocab v worddim wordsize nchar numchar chardim
        nword numword ntoken numtoken ncharacter charsize alphabetsize dictsize lenvocab lenchar uniquechar
        numuniquechar numletter nletter vocabularylen
    """,
    I="""
        input inputsize inputdim inputunit inputnode ninput nin nx d din indim insize infeature i dx xdim numinput
        inputlayersize inputnum datadim featuredim feature nfeature numfeature embedsize embeddim embeddingdim
        inputdimension xsize numin inputlen nbinput nbofinput
    """,
    O="""
        output outputsize outputdim outputunit outputnode noutput nout ny o dout outdim outsize outfeature dy ydim
        numoutput outputlayersize outputnum outputdimension numclasse nclasse classe k c ysize targetsize nclass
        numclass outputlen numout nboutput nbofoutput
    """,
    T="""
        seqlength seqlen sequencelength sequencelen seqsize t timestep nstep numstep tx step maxlen length ntimestep
        numtimestep time windowsize maxtime sequencesize tau unroll maxseqlen unrolledstep nseq seq numofstep
    """,
    B="batchsize batch nbatch minibatchsize numsequence nsample m n b bs",
    k="""
        bptttruncate truncate truncation bpttstep bpttlength bptttrunc bpttdepth truncatestep tbptt bptt bpttwindow
        bptttruncation
    """,
    lr="lr learningrate learnrate alpha eta stepsize rate",
    clip="""
        clip clipvalue gradclip clipnorm maxnorm maxvalue maxgradnorm clippingvalue clipthreshold clipgrad
        gradientclip threshold gradmax clipval clipping clippingthreshold
    """,
    drop="dropout dropoutrate droprate dropprob dropoutprob dropoutp pdrop dropoutprobability dropp",
    keep="keepprob keepprobability pkeep keeprate keep",
    layers="layer size layersize dim layerdim dimension",
)
"""Numbers; O is the number of outputs, which a file that knows inputs and outputs keeps apart."""

ARGUMENTS = _table(
    h0="""
        h hprev prevh ho hinit inith hidden hiddenstate hprevious previoush initialhidden inithidden hiddeninit
        initstate initialstate state prevstate prevhidden hiddenprev a aprev s sprev lasthidden previoushidden
        previousstate hin hiddenprevious hlast hstart startstate inithiddenstate initialhiddenstate hprevstate
        prevhiddenstate hiddenstateprev prevs st ht
    """,
    y="""
        y t target label ytrue truey truelabel yt ytrain output targetseq targetix answer expected truth desired
        yhot groundtruth expectedoutput targetid ytarget targetsequence gt ybatch batchy outputseq teacher correct
        targetoutput actual goal outputdata yseq trainy targetidx targetsidx labelid targetindex targetindice ytruth
        desiredoutput
    """,
    x="""
        x xt input inputx inputseq inputsequence seq sequence inputdata inputid xtrain sentence data batchx xbatch
        token id idx ix indice word inp sample char text inputlist inputvector inputix xseq embed embedding feature
        u signal xin example line inputarray trainx xinput xinputs onehotinput inputindice inputindex
    """,
    upstream="""
        dout dy dh do da dl dz dhnext dlogit dscore doutput dylist dhlist dhall danext dvalue dloss dstate dhidden
        dyhat grad gradient gradoutput gradout delta upstream error outputgradient outgrad dldy dldh dldo dldz
        gradlogit accumgrad upstreamgrad outputgrad outputerror gradh lossgrad lossgradient dldlogit eh ey e dprob
        dpred dys gradoutputs gradnext dnext yerror dx d errory dlossdy dhlast dlast dhfinal douts dlogits
        dlda dldat dldhs dldys
    """,
    params="param parameter weight model theta net",
    cache="""
        cache ctx memory saved cached tape forwardcache context store activation forwardpass history stash intermediate
    """,
)
"""Arguments of functions that are no sizes."""

STATES = _table(
    h="""
        a currentstate h hcurrent hidden hiddenlayer hiddenprev hiddenstate hinit hlast hprev hstate initstate
        lasth lastheld lasthidden laststate memory prevh prevhidden prevstate s state
    """
)["h"]
