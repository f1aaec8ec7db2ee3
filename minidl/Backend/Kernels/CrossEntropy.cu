// Cross entropy of softmax(scores) for a contiguous (batch, classes, inner) tensor of scores and
// (batch, inner) labels:
//
//     error = -sum over positions of w * log p[label] / (batch * inner),    p = softmax(scores)
//     grad_c = w_c * (1[c = label] - p_c) / batch      (the ascent direction; not divided by inner)
//
// One block for each of the batch; a thread has positions of `inner` to itself. For inner = 1 the
// classes are one contiguous row, shared by the block.


__global__ void crossEntropy(
    const real *scores, const int *labels, const accum *weights, real *grad, accum *errors,
    int batch, int classes, int inner, int weighted)
{
    scores += (long long)blockIdx.x * classes * inner;
    grad += (long long)blockIdx.x * classes * inner;
    labels += (long long)blockIdx.x * inner;

    accum error = 0;
    BLOCK_LOOP(i, inner)
    {
        accum most = scores[i], sum = 0;
        for (int c = 1; c < classes; ++c)
            most = scores[c * inner + i] > most ? (accum)scores[c * inner + i] : most;
        for (int c = 0; c < classes; ++c)
            sum += exp((accum)scores[c * inner + i] - most);

        int label = labels[i];
        for (int c = 0; c < classes; ++c)
        {
            accum p = exp((accum)scores[c * inner + i] - most) / sum;
            accum w = weighted ? weights[c] : 1;
            grad[c * inner + i] = w * ((c == label) - p) / batch;
        }
        if (label >= 0 && label < classes)
        {
            accum w = weighted ? weights[label] : 1;
            error -= w * ((accum)scores[label * inner + i] - most - log(sum));
        }
    }
    error = blockSum(error);

    if (threadIdx.x == 0)
        errors[blockIdx.x] = error / inner;
}


__global__ void crossEntropyRows(
    const real *scores, const int *labels, const accum *weights, real *grad, accum *errors,
    int batch, int classes, int weighted)
{
    scores += (long long)blockIdx.x * classes;
    grad += (long long)blockIdx.x * classes;

    accum most = scores[0];
    BLOCK_LOOP(c, classes)
        most = scores[c] > most ? (accum)scores[c] : most;
    most = blockMax(most);

    accum sum = 0;
    BLOCK_LOOP(c, classes)
        sum += exp((accum)scores[c] - most);
    sum = blockSum(sum);

    int label = labels[blockIdx.x];
    BLOCK_LOOP(c, classes)
    {
        accum p = exp((accum)scores[c] - most) / sum;
        accum w = weighted ? weights[c] : (accum)1;
        grad[c] = w * ((c == label) - p) / batch;
    }
    if (threadIdx.x == 0)
    {
        bool isClass = label >= 0 && label < classes;
        accum w = weighted && isClass ? weights[label] : (accum)1;
        errors[blockIdx.x] = isClass ? w * (log(sum) - ((accum)scores[label] - most)) : (accum)0;
    }
}


// The class of the highest score (the first of equals) at each position, and whether it is not the
// label.
__global__ void mostProbable(
    const real *scores, const int *labels, int *best, int *wrong, int classes, int inner)
{
    scores += (long long)blockIdx.x * classes * inner;
    labels += (long long)blockIdx.x * inner;
    best += (long long)blockIdx.x * inner;
    wrong += (long long)blockIdx.x * inner;

    BLOCK_LOOP(i, inner)
    {
        int found = 0;
        for (int c = 1; c < classes; ++c)
            found = scores[c * inner + i] > scores[found * inner + i] ? c : found;
        best[i] = found;
        wrong[i] = found != labels[i];
    }
}


// Counts the labels that are no class, in one block.
__global__ void countStrays(const int *labels, int *count, int size, int classes)
{
    accum strays = 0;
    BLOCK_LOOP(i, size)
        strays += labels[i] < 0 || labels[i] >= classes;
    strays = blockSum(strays);

    if (threadIdx.x == 0)
        count[0] = (int)strays;
}
